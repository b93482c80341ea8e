// swift-tools-version: 6.3
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableExperimentalFeature("Lifetimes"),
]

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let nio = ["NIOCore", "NIOPosix"].map {
    Target.Dependency.product(name: $0, package: "swift-nio")
}

let package = Package(
    name: "penstock",
    products: [
        .library(name: "Penstock", targets: ["Penstock"]),
        .library(name: "PenstockTesting", targets: ["PenstockTesting"]),
        .executable(name: "penstockd", targets: ["penstockd"]),
        .executable(name: "penstock", targets: ["PenstockCommand"]),
        .executable(name: "penstock-bench", targets: ["PenstockBench"]),
    ],
    traits: [
        .trait(name: "Metrics", description: "MetricsMiddleware: counters and timers of swift-metrics."),
        .trait(
            name: "Tracing",
            description: "TracingMiddleware and TracingInterceptor: spans of swift-distributed-tracing."
        ),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
    ],
    targets: [
        // The C libraries, and what makes them safe.
        .systemLibrary(name: "CLibUV", pkgConfig: "libuv", providers: [.apt(["libuv1-dev"])]),
        .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
        .target(name: "UV", dependencies: ["CLibUV"], swiftSettings: settings),
        .target(name: "LMDB", dependencies: ["CLMDB"], swiftSettings: settings),

        // The protocol, the times of schedules, the server, and its command line.
        .target(name: "PenstockWire", swiftSettings: settings),
        .target(name: "PenstockSchedule", swiftSettings: settings),
        .target(name: "PenstockEngine", dependencies: ["LMDB", "PenstockWire"], swiftSettings: settings),
        .target(
            name: "PenstockServer",
            dependencies: [
                "UV", "LMDB", "PenstockWire", "PenstockSchedule", "PenstockEngine", logging, deque, heap,
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "penstockd",
            dependencies: ["PenstockServer", argumentParser, logging],
            swiftSettings: settings
        ),

        // The client.
        .target(
            name: "Penstock",
            dependencies: [
                "PenstockWire", logging, deque, serviceLifecycle,
                .product(name: "Metrics", package: "swift-metrics", condition: .when(traits: ["Metrics"])),
                .product(name: "Tracing", package: "swift-distributed-tracing", condition: .when(traits: ["Tracing"])),
            ] + nio,
            swiftSettings: settings
        ),
        .executableTarget(
            name: "PenstockCommand",
            dependencies: ["Penstock", argumentParser],
            swiftSettings: settings
        ),
        .target(
            name: "PenstockTesting",
            dependencies: ["Penstock", "PenstockServer", "UV", logging],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "penstock-demo",
            dependencies: ["Penstock", "PenstockTesting", argumentParser, logging, serviceLifecycle],
            path: "Sources/PenstockDemo",
            swiftSettings: settings
        ),

        // The benchmark: the floors in C, what measures and reports, the tool.
        .target(name: "CFloors", dependencies: ["CLibUV", "CLMDB"], path: "bench/CFloors"),
        .target(
            name: "BenchSupport",
            dependencies: ["CFloors"],
            path: "bench/BenchSupport",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "PenstockBench",
            dependencies: ["BenchSupport", "Penstock", "PenstockWire", "UV", argumentParser],
            path: "bench/PenstockBench",
            swiftSettings: settings
        ),

        // Threads for tests that compute, and turns for those that wait.
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: settings),
        .testTarget(name: "TestSupportTests", dependencies: ["TestSupport"], swiftSettings: settings),

        .testTarget(name: "UVTests", dependencies: ["UV", "TestSupport"], swiftSettings: settings),
        .testTarget(name: "LMDBTests", dependencies: ["LMDB", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "PenstockWireTests",
            dependencies: ["PenstockWire", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "PenstockScheduleTests",
            dependencies: ["PenstockSchedule", "UV", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "PenstockEngineTests",
            dependencies: ["PenstockEngine", "PenstockWire", "LMDB", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "BenchSupportTests",
            dependencies: ["BenchSupport", "PenstockBench", "PenstockWire", "TestSupport", argumentParser],
            swiftSettings: settings
        ),
        .testTarget(
            name: "PenstockServerTests",
            dependencies: [
                "PenstockServer", "PenstockEngine", "PenstockSchedule", "PenstockWire", "LMDB", "UV", "TestSupport",
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "PenstockTests",
            dependencies: [
                "Penstock", "PenstockWire", "TestSupport", serviceLifecycle, logging,
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ] + nio,
            swiftSettings: settings
        ),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "Penstock", "PenstockTesting", "PenstockWire", "PenstockServer", "LMDB", "UV", "TestSupport",
                logging, serviceLifecycle, "TestWorker", "PenstockCommand",
                .product(name: "MetricsTestKit", package: "swift-metrics", condition: .when(traits: ["Metrics"])),
                .product(
                    name: "InMemoryTracing",
                    package: "swift-distributed-tracing",
                    condition: .when(traits: ["Tracing"])
                ),
            ],
            swiftSettings: settings
        ),
        // A worker in a process of its own, which tests kill.
        .executableTarget(
            name: "TestWorker",
            dependencies: ["Penstock", logging],
            path: "Tests/TestWorker",
            swiftSettings: settings
        ),
        // A real penstockd, killed again and again; it is found beside the test bundle.
        .testTarget(name: "CrashTests", dependencies: ["PenstockWire"], swiftSettings: settings),
    ]
)

// The long run of random histories builds the engine and its tests alone, in a directory that has links to them but no
// snippets: all the rest, in release, would take many times as long.
if Context.environment["PENSTOCK_HISTORIES"] != nil {
    let names: Set = ["CLMDB", "LMDB", "PenstockWire", "PenstockEngine", "TestSupport", "PenstockEngineTests"]
    package.dependencies = []
    package.products = []
    package.targets.removeAll { !names.contains($0.name) }
}

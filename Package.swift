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

let package = Package(
    name: "penstock",
    products: [
        .executable(name: "penstock-bench", targets: ["PenstockBench"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CLibUV", pkgConfig: "libuv", providers: [.apt(["libuv1-dev"])]),
        .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
        .target(name: "UV", dependencies: ["CLibUV"], swiftSettings: settings),
        .target(name: "LMDB", dependencies: ["CLMDB"], swiftSettings: settings),
        .target(name: "PenstockWire", swiftSettings: settings),
        .target(name: "PenstockEngine", dependencies: ["LMDB", "PenstockWire"], swiftSettings: settings),
        .target(
            name: "PenstockServer",
            dependencies: [
                "UV", "LMDB", "PenstockWire", "PenstockEngine",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "penstockd",
            dependencies: [
                "PenstockServer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .target(name: "CFloors", dependencies: ["CLibUV", "CLMDB"], path: "bench/CFloors"),
        .target(
            name: "BenchSupport",
            dependencies: ["CFloors"],
            path: "bench/BenchSupport",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "PenstockBench",
            dependencies: [
                "BenchSupport", "PenstockWire", "UV",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "bench/PenstockBench",
            swiftSettings: settings
        ),
        .testTarget(name: "UVTests", dependencies: ["UV"], swiftSettings: settings),
        .testTarget(name: "LMDBTests", dependencies: ["LMDB"], swiftSettings: settings),
        .testTarget(
            name: "BenchSupportTests",
            dependencies: [
                "BenchSupport", "PenstockBench", "PenstockWire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "PenstockServerTests",
            dependencies: ["PenstockServer", "PenstockEngine", "PenstockWire"],
            swiftSettings: settings
        ),
        .testTarget(name: "PenstockWireTests", dependencies: ["PenstockWire"], swiftSettings: settings),
    ]
)

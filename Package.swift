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
    targets: [
        .target(name: "PenstockWire", swiftSettings: settings),
        .target(name: "PenstockEngine", dependencies: ["PenstockWire"], swiftSettings: settings),
        .target(name: "PenstockServer", dependencies: ["PenstockEngine", "PenstockWire"], swiftSettings: settings),
        .testTarget(
            name: "PenstockServerTests",
            dependencies: ["PenstockEngine", "PenstockServer", "PenstockWire"],
            swiftSettings: settings
        ),
    ]
)

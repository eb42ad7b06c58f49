// swift-tools-version: 6.1
import PackageDescription

/// One row of the house: a target, what it may import of ours, and what of others.
/// A target exists only to ban an import or to be a product; folders do the rest.
struct Room {
    var name: String
    var uses: [String] = []
    var packages: [Target.Dependency] = []
    var resources: [Resource] = []
    /// Folders of files that its code reads by path and SwiftPM does not build.
    var data: [String] = []
}

let argumentParser: Target.Dependency = .product(
    name: "ArgumentParser", package: "swift-argument-parser")

let rooms: [Room] = [
    // Vocabulary: values that producers and judges share.
    Room(name: "LPUSupport", uses: ["CNumerics"]),
    Room(name: "LPUNumerics", uses: ["CNumerics"]),
    Room(
        name: "LPUMachine", uses: ["LPUSupport", "LPUNumerics"],
        resources: [.embedInCode("Presets")]),
    Room(name: "LPUModel", uses: ["LPUSupport"]),
    Room(name: "LPUDataflow", uses: ["LPUSupport", "LPUNumerics"]),
    Room(name: "LPUSchedule", uses: ["LPUSupport", "LPUNumerics", "LPUMachine"]),
    // Producers.
    Room(name: "LPUCheckpoint", uses: ["LPUSupport", "LPUNumerics", "LPUModel"]),
    Room(name: "LPUPlanning", uses: ["LPUSupport", "LPUNumerics", "LPUMachine", "LPUModel"]),
    Room(
        name: "LPULowering",
        uses: [
            "LPUSupport", "LPUNumerics", "LPUMachine", "LPUModel", "LPUPlanning", "LPUDataflow",
        ]),
    Room(
        name: "LPUScheduler",
        uses: ["LPUSupport", "LPUNumerics", "LPUMachine", "LPUDataflow", "LPUSchedule"]),
    Room(
        name: "LPULoading",
        uses: [
            "LPUSupport", "LPUNumerics", "LPUMachine", "LPUModel", "LPUDataflow", "LPUSchedule",
        ]),
    // Judges: never a producer.
    Room(
        name: "LPUVerifier",
        uses: [
            "LPUSupport", "LPUNumerics", "LPUMachine", "LPUModel", "LPUDataflow", "LPUSchedule",
            "CNumerics",
        ]),
    Room(name: "LPUSimulator", uses: ["LPUSupport", "LPUNumerics", "LPUMachine", "LPUSchedule"]),
    Room(name: "LPUReference", uses: ["LPUSupport"]),
    // Readers and products.
    Room(
        name: "LPURendering",
        uses: [
            "LPUSupport", "LPUNumerics", "LPUMachine", "LPUDataflow", "LPUSchedule", "CGraphviz",
        ]),
    Room(
        name: "LPUCompiler",
        uses: [
            "LPUSupport", "LPUNumerics", "LPUMachine", "LPUModel", "LPUPlanning", "LPUDataflow",
            "LPULowering", "LPUSchedule", "LPUScheduler", "LPULoading", "LPUVerifier",
            "LPUSimulator",
        ]),
    Room(
        name: "LPUTesting",
        uses: [
            "LPUSupport", "LPUNumerics", "LPUMachine", "LPUDataflow", "LPUSchedule",
            "LPUVerifier", "LPUSimulator", "LPUCompiler",
        ]),
]

/// The rules that every target of ours is built by.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func dependencies(_ room: Room) -> [Target.Dependency] {
    room.uses.map { .target(name: $0) } + room.packages
}

/// Test targets mirror the rooms; a test may use what its room uses, and the room.
let tests: [Room] = [
    Room(name: "LPUSupport", uses: ["CNumerics"]),
    Room(name: "LPUNumerics", uses: ["LPUSupport"]),
    Room(name: "LPUMachine", uses: ["LPUSupport", "LPUNumerics"]),
    Room(name: "LPUModel", uses: ["LPUSupport"]),
    Room(
        name: "LPUCheckpoint", uses: ["LPUSupport", "LPUNumerics", "LPUModel"],
        data: ["Goldens"]),
    Room(name: "LPUDataflow", uses: ["LPUSupport", "LPUNumerics"]),
    Room(name: "LPUSchedule", uses: ["LPUSupport", "LPUNumerics", "LPUMachine"]),
    Room(name: "LPUSimulator", uses: ["LPUSupport", "LPUNumerics", "LPUMachine", "LPUSchedule"]),
    Room(
        name: "LPUVerifier",
        uses: ["LPUSupport", "LPUNumerics", "LPUMachine", "LPUDataflow", "LPUSchedule"],
        data: ["Schedules"]),
    Room(
        name: "LPUScheduler",
        uses: [
            "LPUSupport", "LPUNumerics", "LPUMachine", "LPUDataflow", "LPUSchedule", "LPULoading",
            "LPUVerifier", "LPUSimulator",
        ]),
    Room(
        name: "LPULoading",
        uses: [
            "LPUSupport", "LPUNumerics", "LPUMachine", "LPUModel", "LPUDataflow", "LPUSchedule",
        ]),
    Room(name: "LPUReference", uses: ["LPUSupport", "LPUNumerics"], data: ["Goldens"]),
    Room(
        name: "LPULowering",
        uses: [
            "LPUSupport", "LPUNumerics", "LPUMachine", "LPUModel", "LPUPlanning", "LPUDataflow",
            "LPUSchedule", "LPUScheduler", "LPULoading", "LPUVerifier", "LPUSimulator",
            "LPUReference",
        ]),
    Room(
        name: "LPURendering",
        uses: ["LPUSupport", "LPUNumerics", "LPUMachine", "LPUDataflow", "LPUSchedule"]),
    Room(
        name: "LPUTesting",
        uses: [
            "LPUSupport", "LPUNumerics", "LPUMachine", "LPUModel", "LPUPlanning", "LPUDataflow",
            "LPUSchedule", "LPUScheduler", "LPUVerifier", "LPUSimulator", "LPUCompiler",
        ]),
    Room(name: "LPUPlanning", uses: ["LPUSupport", "LPUNumerics", "LPUMachine", "LPUModel"]),
    Room(
        name: "LPUCompiler",
        uses: [
            "LPUSupport", "LPUNumerics", "LPUMachine", "LPUModel", "LPUPlanning", "LPUDataflow",
            "LPULowering", "LPUSchedule", "LPUScheduler", "LPULoading", "LPUVerifier",
            "LPUSimulator",
        ]),
    // Reads the repository itself: imports against this table, widths, lengths.
    Room(name: "House"),
    // Runs the binaries that stand next to the test bundle.
    Room(name: "lpuc", uses: ["LPUSupport", "decode-tiny"], data: ["Goldens"]),
]

/// Worked examples: programs in Examples/ that a user may start from.
let examples = ["decode-tiny"]

let package = Package(
    name: "lpuc",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "lpuc", targets: ["lpuc"]),
        .library(name: "LPUCompiler", targets: ["LPUCompiler"]),
        .library(name: "LPUTesting", targets: ["LPUTesting"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
    ],
    targets: rooms.map {
        .target(
            name: $0.name, dependencies: dependencies($0), resources: $0.resources,
            swiftSettings: strict)
    } + [
        // Loops that choose their instructions when the program starts, which Swift cannot.
        .target(name: "CNumerics"),
        .systemLibrary(
            name: "CGraphviz", pkgConfig: "libgvc", providers: [.apt(["libgraphviz-dev"])]),
        .executableTarget(
            name: "lpuc",
            // LPUTesting needs the Testing library, which only a test bundle links.
            dependencies: rooms.filter { $0.name != "LPUTesting" }
                .map { .target(name: $0.name) } + [argumentParser],
            swiftSettings: strict),
    ]
        + examples.map {
            .executableTarget(
                name: $0,
                dependencies: [
                    "LPUCompiler", "LPUMachine", "LPUModel", "LPUPlanning", "LPUSchedule",
                    "LPUVerifier",
                ],
                path: "Examples/\($0)", swiftSettings: strict)
        }
        + tests.map {
            .testTarget(
                name: $0.name + "Tests",
                dependencies: ($0.name == "House" ? [] : [.target(name: $0.name)])
                    + dependencies($0),
                exclude: $0.data,
                swiftSettings: strict)
        }
)

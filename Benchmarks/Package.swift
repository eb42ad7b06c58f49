// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "lpuc-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "lpuc", path: "..")],
    targets: [
        .executableTarget(
            name: "bench", dependencies: [.product(name: "LPUCompiler", package: "lpuc")])
    ]
)

import Foundation
import LPUCompiler
import LPUMachine
import LPUModel
import LPUPlanning
import LPUScheduler
import Testing

/// A model small enough to be compiled in a test.
enum TinyModel {
    static let config: [UInt8] = {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appending(path: "Graphs/tiny-llama.json")
        return (try? Data(contentsOf: file)).map([UInt8].init) ?? []
    }()

    static func compiled(_ strategy: Strategy = .list) throws -> Compilation {
        let model = try ModelConfiguration(huggingFace: config, file: "tiny-llama.json")
        let machine = try #require(Machine.preset(named: "groqchip1"))
        return try Compiler(machine: machine, strategy: strategy)
            .compile(model, plan: Plan(context: 40))
    }
}

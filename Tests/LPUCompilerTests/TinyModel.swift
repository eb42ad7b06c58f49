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

    /// Compiled once for all tests.
    private static let list = Result { try compiled(.list) }

    static func compiled() throws -> Compilation { try list.get() }

    static func compiled(_ strategy: Strategy) throws -> Compilation {
        let model = try ModelConfiguration(huggingFace: config, file: "tiny-llama.json")
        let machine = try #require(Machine.preset(named: "groqchip1"))
        return try Compiler(machine: machine, strategy: strategy)
            .compile(model, plan: Plan(context: 40))
    }
}

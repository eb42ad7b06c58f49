// Compiles a model for one chip and decodes a few tokens on the simulator.
//
//     swift run decode-tiny Graphs/tiny-llama.json
import Foundation
import LPUCompiler
import LPUMachine
import LPUModel
import LPUPlanning
import LPUSchedule
import LPUVerifier

let path = CommandLine.arguments.dropFirst().first ?? "Graphs/tiny-llama.json"
let config = [UInt8](try Data(contentsOf: URL(filePath: path)))
let model = try ModelConfiguration(huggingFace: config, file: path)
guard let machine = Machine.preset(named: "groqchip1") else { fatalError("no such machine") }

let compilation = try Compiler(machine: machine).compile(model, plan: Plan(context: 32))
print("a token takes \(compilation.schedule.claims.length)")
if let verdict = compilation.verdict { print(verdict) }

// Weights made from a hash of their names; a user's own are any `WeightSource`.
let weights = HashedWeights(ModelGraph(model).weights)
var decoder = try Decoder(compilation, image: try compilation.load(weights))
var token = 17
for _ in 0..<4 {
    token = try decoder.step(token).next
    print("token \(token)")
}

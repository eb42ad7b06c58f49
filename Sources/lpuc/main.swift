import Foundation
import LPUCompiler
import LPUDataflow
import LPULoading
import LPULowering
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUReference
import LPUSchedule
import LPUScheduler
import LPUSimulator
import LPUSupport
import LPUVerifier

func say(_ items: Any...) {
    FileHandle.standardError.write(Data((items.map { "\($0)" }.joined(separator: " ") + "\n").utf8))
}
let path = CommandLine.arguments[1]
let clock = ContinuousClock()
let data = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
let config = try ModelConfiguration(huggingFace: data, file: path)
guard let machine = Machine.preset(named: CommandLine.arguments[2]) else { fatalError("no machine") }
let strategy: Strategy = CommandLine.arguments.count > 5 ? .random(seed: UInt64(CommandLine.arguments[5])!) : .list
var last = clock.now
func env(_ n: String) -> Int { Int(ProcessInfo.processInfo.environment[n] ?? "1")! }
let c: Compilation
do {
c = try Compiler(machine: machine, strategy: strategy).compile(config, plan: Plan(context: Int(CommandLine.arguments[3])!, tensorParallel: env("TP"), pipelineStages: env("PP"))) { say($0, clock.now - last) }
} catch { say(error)
  let p = try lower(config, plan: Plan(context: Int(CommandLine.arguments[3])!, tensorParallel: env("TP"), pipelineStages: env("PP")), for: machine)
  for t in p.templates where t.ops.count > env("OP") { say(t.name, t.values[t.ops[env("OP")].result.index], t.ops[env("OP")]) }
  exit(1) }
say("length", c.schedule.claims, clock.now - last)
let program = c.program
for (p, t) in zip(c.schedule.placements, program.instances) { say(program.templates[t.template].name, p.start, p.slots, p.chips.count) }
last = clock.now
let verdict = Verifier(threads: 2).verify(machine: machine, schedule: c.schedule, program: program)
say(verdict.isAccepted, "verified", clock.now - last)
for v in verdict.violations.filter { $0.law != .coverage }.prefix(10) { say(v) }
for v in verdict.violations.filter { $0.law == .coverage }.prefix(10) { say(v) }
if CommandLine.arguments[4] == "0" { exit(0) }
let weights = HashedWeights(ModelGraph(config).weights)
var packer = ImageBytes(program, weights: weights)
var interpreter = try Interpreter(program) { (i, v) throws(DiagnosticSet) in try packer.bytes(of: v, in: i) }
let reference = try ReferenceModel(try ReferenceConfig(json: data, file: path)) { (n, s) throws(DiagnosticSet) in ReferenceWeights.tensor(n, shape: s) }
var cache = reference.makeCache()
let image = try MemoryImage(program, c.schedule, on: machine, weights: weights)
let sim: Simulator
do { sim = try Simulator(machine: machine, schedule: c.schedule, image: image) } catch { say(error); exit(1) }
let head = program.instances.count - 2
let ht = program.templates[program.instances[head].template]
let logitValues = ht.values.indices.filter { ht.values[$0].name.hasPrefix("logits.") }.sorted { Int(ht.values[$0].name.dropFirst(7))! < Int(ht.values[$1].name.dropFirst(7))! }
let starts = logitValues.map { Int(ht.values[$0].name.dropFirst(7))! } + [config.vocabularySize]
var token = 17
for position in 0..<Int(CommandLine.arguments[4])! {
    var ingress = [UInt8](repeating: 0, count: 320)
    for s in 0..<20 { for k in 0..<4 {
        ingress[16 * s + k] = UInt8(token >> (8 * k) & 255)
        ingress[16 * s + 4 + k] = UInt8(position >> (8 * k) & 255)
    } }
    let out = try interpreter.step(ingress: ingress)
    let next = (0..<4).reduce(0) { $0 | Int(out[$1]) << (8 * $1) }
    let expected = reference.decode(token, cache: &cache)
    var logits: [Double] = []
    for (n, v) in logitValues.enumerated() {
        let b = interpreter.bytes(of: ValueID(v), in: head)
        let w = ElementType.fp32.widen((0..<4).map { k in Array(b[k * 320..<(k + 1) * 320]) })
        logits += w[0..<starts[n + 1] - starts[n]].map { Double(Float(bitPattern: $0)) }
    }
    let mean = expected.reduce(0, +) / Double(expected.count)
    let std = (expected.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(expected.count)).squareRoot()
    let err = zip(expected, logits).map { abs($0 - $1) }.max()! / std
    let best = expected.indices.max { expected[$0] < expected[$1] }!
    say(position, "token", token, "next", next, "reference", best, "error/std", err)
    do {
        last = clock.now
        let (egress, stats) = try sim.step(ingress: [ChipID(0): [ingress]])
        say("  simulated", egress[0].bytes == out ? "EQUAL" : "DIFFERENT", egress[0].cycle, stats, clock.now - last)
        if egress[0].bytes != out { exit(1) }
    } catch { say("  fault", error); exit(1) }
    token = best
}

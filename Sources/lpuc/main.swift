import Foundation
import LPUCompiler
import LPUDataflow
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
let c = try Compiler(machine: machine, strategy: strategy).compile(config, plan: Plan(context: Int(CommandLine.arguments[3])!, tensorParallel: Int(ProcessInfo.processInfo.environment["TP"] ?? "1")!)) { say($0, clock.now - last) }
say("length", c.schedule.claims, clock.now - last)
let program = c.program
let weights = HashedWeights(ModelGraph(config).weights)
func pack(_ v: Value) -> [UInt8]? {
    guard case .image(let f) = v.origin, case .weights(let layout, let factor, let scale) = f else { return nil }
    var words = [UInt16](repeating: 0, count: v.count * 320)
    var norm: [Float] = []
    if let scale { weights.readRow(0, of: scale, into: &norm) }
    for p in layout.pieces {
        for i in p.vectors {
            let r = p.element(vector: i, lane: p.lanes.lowerBound)
            var row: [Float] = []
            weights.readRow(r[0], of: layout.tensor, into: &row)
            for l in p.lanes {
                let col = p.element(vector: i, lane: l)[1]
                words[i * 320 + l] = FP16.encode(Float(Double(row[col]) * Double(factor) * (norm.isEmpty ? 1 : Double(norm[col]))))
            }
        }
    }
    var bytes = [UInt8](repeating: 0, count: v.count * 640)
    for i in 0..<v.count { for l in 0..<320 {
        bytes[i * 640 + l] = UInt8(words[i * 320 + l] & 255)
        bytes[i * 640 + 320 + l] = UInt8(words[i * 320 + l] >> 8)
    } }
    return bytes
}
let template = program.templates[0]
var images: [[UInt8]] = template.values.map { v in
    guard case .image(let f) = v.origin else { return [] }
    return pack(v) ?? f.bytes(type: v.type, count: v.count, lanes: 320) ?? []
}
var interpreter = try Interpreter(program) { (_, v) throws(DiagnosticSet) in images[v.index] }
let reference = try ReferenceModel(try ReferenceConfig(json: data, file: path)) { (n, s) throws(DiagnosticSet) in ReferenceWeights.tensor(n, shape: s) }
var cache = reference.makeCache()

// Memory image.
var image = MemoryImage()
for (place, chipProgram) in c.schedule.templates[0].chips.enumerated() { for a in chipProgram.allocations where a.isImage {
    let v = template.values[a.value.index]
    image.blocks.append(.init(chip: ChipID(place), hemisphere: a.hemisphere, slice: Int(a.slice), bank: Int(a.base.bank), row: Int(a.base.row), rows: Int(a.rows), offset: image.bytes.count))
    for r in 0..<Int(a.rows) {
        let o = (a.vector(ofRow: r) * v.type.byteCount + Int(a.plane)) * 320
        image.bytes += images[a.value.index][o..<o + 320]
    }
} }
let verdict = Verifier(threads: 2).verify(machine: machine, schedule: c.schedule)
for v in verdict.violations.prefix(10) { say(v) }
last = clock.now
let symbolic = symbolicRun(machine: machine, schedule: c.schedule, program: program)
say("symbolic", symbolic.violations.count, symbolic.issueCount, clock.now - last)
for v in symbolic.violations.filter { $0.law != .coverage }.prefix(10) { say(v) }
let sim: Simulator
do { sim = try Simulator(machine: machine, schedule: c.schedule, image: image) } catch { say(error); exit(1) }

var token = 17
let logitValues = template.values.indices.filter { template.values[$0].name.hasPrefix("logits.") }.sorted { Int(template.values[$0].name.dropFirst(7))! < Int(template.values[$1].name.dropFirst(7))! }
let starts = logitValues.map { Int(template.values[$0].name.dropFirst(7))! } + [config.vocabularySize]
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
        let b = interpreter.bytes(of: ValueID(v), in: 0)
        let w = ElementType.fp32.widen((0..<4).map { k in Array(b[k * 320..<(k + 1) * 320]) })
        logits += w[0..<starts[n + 1] - starts[n]].map { Double(Float(bitPattern: $0)) }
    }
    let mean = expected.reduce(0, +) / Double(expected.count)
    let std = (expected.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(expected.count)).squareRoot()
    let err = zip(expected, logits).map { abs($0 - $1) }.max()! / std
    let best = expected.indices.max { expected[$0] < expected[$1] }!
    say(position, "token", token, "next", next, "reference", best, "error/std", err)
    do {
        let (egress, stats) = try sim.step(ingress: [ChipID(0): [ingress]])
        say("  simulated", egress[0].bytes == out ? "EQUAL" : "DIFFERENT", egress[0].cycle, stats)
        if egress[0].bytes != out {
            var bad: [(Int, String)] = []
            for (place, cp) in c.schedule.templates[0].chips.enumerated() { for a in cp.allocations where !a.isImage {
                guard case .op(let op) = template.values[a.value.index].origin else { continue }
                for r in 0..<Int(a.rows) {
                    let row = sim.row(Int(a.base.row) + r, bank: Int(a.base.bank), slice: Int(a.slice), a.hemisphere, of: ChipID(place))
                    let o = (a.vector(ofRow: r) * template.values[a.value.index].type.byteCount + Int(a.plane)) * 320
                    let want = Array(interpreter.bytes(of: a.value, in: 0)[o..<o + 320])
                    if row != want { bad.append((op.index, "\(op) \(template.values[a.value.index].name) plane \(a.plane) \(a.hemisphere) \(a.slice) \(template.ops[op.index].kind) lanes \(zip(row ?? [], want).enumerated().filter { $0.1.0 != $0.1.1 }.count)")) }
                }
            } }
            bad.sort { $0.0 < $1.0 }
            for b in bad.prefix(6) { say(b.1) }
            exit(1)
        }
    } catch { say("  fault", error); exit(1) }
    token = best
}
enum Tiling0 { static func width(_ n: Int) -> Int { let c = (n + 319) / 320; return (n + c - 1) / c } }

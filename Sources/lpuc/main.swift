import Foundation
import LPUDataflow
import LPULowering
import LPUMachine
import LPUModel
import LPUPlanning
import LPUSchedule
import LPUScheduler
import LPUSupport

let clock = ContinuousClock()
let data = try Data(contentsOf: URL(fileURLWithPath: CommandLine.arguments[1]))
let config = try ModelConfiguration(huggingFace: [UInt8](data), file: CommandLine.arguments[1])
guard let machine = Machine.preset(named: CommandLine.arguments[2]) else { fatalError("no machine") }
let program = try lower(config, plan: Plan(context: Int(CommandLine.arguments[3])!), for: machine)
say("ops", program.templates[0].ops.count, "values", program.templates[0].values.count)
let problems = program.problems()
say(problems.description.split(separator: "\n").prefix(20).joined(separator: "\n"))
for op in (290..<300) { say(op, program.templates[0].ops[op], program.templates[0].values[program.templates[0].ops[op].result.index].name) }
let strategy: Strategy = CommandLine.arguments.count > 4 ? .random(seed: UInt64(CommandLine.arguments[4])!) : .list
let start = clock.now
let result = try schedule(program, digest: "", for: machine, strategy: strategy)
say("scheduled in", clock.now - start)
let last = result.templates[0].chips[0].bursts.map(\.lastIssue).max()!
say("last", last, "bursts", result.templates[0].chips[0].bursts.count, "allocations", result.templates[0].chips[0].allocations.count)

func say(_ items: Any...) {
    FileHandle.standardError.write(Data((items.map { "\($0)" }.joined(separator: " ") + "\n").utf8))
}

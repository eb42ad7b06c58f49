import Foundation
import LPUDataflow
import LPUMachine
import LPUModel
import LPUPlanning
import LPUSchedule
import LPUScheduler
import LPUVerifier
import Testing

@testable import LPULowering

/// A whole model on one chip: minutes of work, so that it runs only where it is asked for.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["LPUC_FULL_SIZE"] != nil))
struct SmolLMTests {
    @Test func isScheduledOnOneChip() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Graphs/smollm2-135m.json")
        let configuration = try ModelConfiguration(
            huggingFace: [UInt8](try Data(contentsOf: file)), file: "smollm2-135m.json")
        let machine = try #require(Machine.preset(named: "lp30"))
        let clock = ContinuousClock()
        var last = clock.now
        func report(_ what: String) {
            print("\(what), after \(clock.now - last)")
            last = clock.now
        }
        let program = try lower(configuration, plan: Plan(context: 512), for: machine)
        report("\(Numbering(program).opCount) ops")
        let schedule = try LPUScheduler.schedule(program, digest: program.digest, for: machine)
        report("\(schedule.claims)")
        let verdict = Verifier(threads: 2).verify(machine: machine, schedule: schedule)
        report("verified: \(verdict.violations.count) violations")
        #expect(verdict.violations.isEmpty)
        let symbolic = symbolicRun(machine: machine, schedule: schedule, program: program)
        report("run symbolically: \(symbolic.violations.count) violations")
        #expect(symbolic.violations.isEmpty)
    }
}

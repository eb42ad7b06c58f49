import LPUDataflow
import LPULoading
import LPULowering
import LPUMachine
import LPUNumerics
import LPUPlanning
import LPUSchedule
import LPUScheduler
import LPUSimulator
import LPUSupport
import LPUVerifier
import Testing

/// Steps of several users that overlap: the schedule written out again every interval.
@Suite struct FoldedStepsTests {
    private static let cases = [
        UsersTests.Case(machine: "node8", degree: 2, stages: 2, context: 340, cache: .fp8),
        UsersTests.Case(machine: "node8", degree: 1, stages: 4),
        UsersTests.Case(),
    ]
    /// Six steps, of users 0, 1, 2, 0, 1, 2.
    private static let tokens = [3, 17, 39, 5, 21, 0]

    /// As many steps as there are tokens, `interval` cycles apart.
    private func unrolled(
        _ schedule: Schedule, every interval: Int, on machine: Machine
    ) -> Schedule {
        var steps = schedule
        steps.interval = nil
        steps.placements = Self.tokens.indices.flatMap { k in
            schedule.placements.map { placement in
                var copy = placement
                copy.start = Cycle(placement.start.index + k * interval)
                return copy
            }
        }
        steps.claims = steps.recomputedClaims(on: machine)
        return steps
    }

    /// Lawful though they overlap, by the laws that know nothing of steps; and each gives what it
    /// gives alone.
    @Test(arguments: cases)
    func stepsThatOverlapAreThoseAlone(_ test: UsersTests.Case) throws {
        let decoder = try Decoder(["num_hidden_layers": 4])
        let machine = try #require(Machine.preset(named: test.machine))
        let program = try decoder.program(test.plan(users: 3), on: machine)
        let schedule = try LPUScheduler.schedule(program, digest: program.digest, for: machine)
        let interval = try #require(schedule.interval).count
        let length = schedule.claims.length.count
        #expect(3 * interval >= length)
        #expect(test.stages == 1 || interval < length * 3 / 4, "\(interval) of \(length)")
        print("\(test): interval \(interval) of \(length)")

        let steps = unrolled(schedule, every: interval, on: machine)
        let verdict = Verifier(threads: 2).verify(machine: machine, schedule: steps)
        #expect(verdict.isAccepted, "\(test): \(verdict.violations.prefix(3))")

        let image = try MemoryImage(program, schedule, on: machine, weights: decoder.weights)
        let simulator = try Simulator(machine: machine, schedule: steps, image: image, threads: 2)
        var run = try decoder.run(program)
        var vectors: [[UInt8]] = []
        var expected: [[UInt8]] = []
        for (k, token) in Self.tokens.enumerated() {
            expected.append(try run.step(token, at: k / 3, user: k % 3).egress)
            vectors.append(
                DecoderRun.ingress(token, at: k / 3, user: k % 3, lanes: program.lanes))
        }
        let (egress, _) = try simulator.step(ingress: [ChipID(0): vectors])
        #expect(egress.map(\.bytes) == expected, "\(test)")
    }

    /// Law 15 refuses a shorter interval, and so would the others, step by step.
    @Test func noShorterIntervalIsLawful() throws {
        let test = Self.cases[0]
        let decoder = try Decoder(["num_hidden_layers": 4])
        let machine = try #require(Machine.preset(named: test.machine))
        // So many users that their number is no bound.
        let program = try decoder.program(test.plan(users: 9), on: machine)
        var schedule = try LPUScheduler.schedule(program, digest: program.digest, for: machine)
        let interval = try #require(schedule.interval).count
        #expect(9 * interval > schedule.claims.length.count + 9)
        for shorter in [interval / 2, interval / 3] {
            schedule.interval = CycleCount(shorter)
            let folded = Verifier().verify(machine: machine, schedule: schedule)
            #expect(folded.violations.contains { $0.law == .intervalFolded })
            let steps = unrolled(schedule, every: shorter, on: machine)
            #expect(!Verifier().verify(machine: machine, schedule: steps).isAccepted)
        }
    }

    @Test func usersAreTooFew() throws {
        let decoder = try Decoder(["num_hidden_layers": 4])
        let test = Self.cases[1]
        let machine = try #require(Machine.preset(named: test.machine))
        let program = try decoder.program(test.plan(users: 4), on: machine)
        var schedule = try LPUScheduler.schedule(program, digest: program.digest, for: machine)
        var fewer = program
        fewer.users = 1
        schedule.program = fewer.digest
        let verdict = Verifier().verify(machine: machine, schedule: schedule, program: fewer)
        #expect(verdict.violations.map(\.law) == [.intervalFolded])
    }
}

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

/// Several users in flight: one schedule serves each as a schedule for one user does.
@Suite struct UsersTests {
    struct Case: Sendable, CustomStringConvertible {
        var machine = "groqchip1"
        var degree = 1
        var stages = 1
        var context = 40
        var cache = ElementType.fp16
        var description: String {
            "\(degree) x \(stages) on \(machine), context \(context), \(cache.rawValue)"
        }
        func plan(users: Int) -> Plan {
            Plan(
                context: context, users: users, kvType: cache, tensorParallel: degree,
                pipelineStages: stages)
        }
    }

    static let cases = [
        Case(), Case(context: 700), Case(context: 1300, cache: .fp8),
        Case(machine: "node8", degree: 2, stages: 2, context: 340, cache: .fp8),
        Case(machine: "node8", degree: 3, stages: 1),
    ]

    /// Who takes which token, in turns that are not even.
    private static let steps = [
        (user: 1, token: 3), (0, 17), (1, 39), (2, 3), (0, 5), (2, 21), (1, 0), (0, 30), (2, 39),
    ]

    @Test(arguments: cases)
    func eachDecodesAsAlone(_ test: Case) throws {
        let decoder = try Decoder(["num_hidden_layers": 2])
        let machine = try #require(Machine.preset(named: test.machine))
        let program = try decoder.program(test.plan(users: 3), on: machine)
        let schedule = try LPUScheduler.schedule(program, digest: program.digest, for: machine)
        let verdict = Verifier(threads: 2).verify(
            machine: machine, schedule: schedule, program: program)
        #expect(verdict.isAccepted, "\(test): \(verdict.violations.prefix(3))")

        let image = try MemoryImage(program, schedule, on: machine, weights: decoder.weights)
        let simulator = try Simulator(
            machine: machine, schedule: schedule, image: image, threads: 2)
        var run = try decoder.run(program)
        let single = try decoder.run(try decoder.program(test.plan(users: 1), on: machine))
        var alone = [single, single, single]
        var positions = [0, 0, 0]
        var cycles: Set<Int> = []
        for (user, token) in Self.steps {
            let position = positions[user]
            positions[user] += 1
            let (logits, egress) = try run.step(token, at: position, user: user)
            let (expected, answer) = try alone[user].step(token, at: position)
            #expect(logits == expected, "\(test): user \(user) at \(position)")
            #expect(egress == answer)
            let ingress = DecoderRun.ingress(
                token, at: position, user: user, lanes: program.lanes)
            let (vectors, statistics) = try simulator.step(ingress: [ChipID(0): [ingress]])
            #expect(vectors.map(\.bytes) == [answer], "\(test): user \(user) at \(position)")
            cycles.insert(statistics.cycles)
        }
        #expect(cycles.count == 1, "every step takes the same cycles")
        print("\(test): \(cycles) cycles for 3 users")
    }

    /// Values of the prologue in which the user counts.
    static let faults = [
        "userKeys.shifted", "userOpenValues.shifted", "userValues0.shifted", "keyRow.ofUser",
        "openRow.ofUser", "blockRow0.ofUser",
    ]

    /// Makes a value as if the user were 0; or the position depend on the user, for the name
    /// `position`.
    static func plant(_ name: String, in template: inout ProgramTemplate) -> Int {
        var places = 0
        for o in template.ops.indices {
            let op = template.ops[o]
            let result = template.values[op.result.index].name
            if name == "position", result == "position.fp32" {
                guard let user = template.values.firstIndex(where: { $0.name == "slot" }) else {
                    continue
                }
                template.ops[o].kind = .elementwise(
                    .toFP32, .use(Use(ValueID(user), step: 0)), nil)
                places += 1
            }
            guard result == name, case .elementwise(let operation, let a, let b?) = op.kind else {
                continue
            }
            // The user's rows are the first operand of a shift, the second of a sum.
            template.ops[o].kind =
                operation == .addInt
                ? .elementwise(operation, a, .immediate(0))
                : .elementwise(operation, .immediate(0), b)
            places += 1
        }
        return places
    }

    @Test(arguments: faults)
    func usersAreToldApart(by name: String) throws {
        let decoder = try Decoder()
        var program = try decoder.program(Case().plan(users: 3))
        let single = try decoder.run(try decoder.program(Case().plan(users: 1)))
        let places = program.templates.indices.reduce(0) {
            $0 + Self.plant(name, in: &program.templates[$1])
        }
        #expect(places > 0, "\(name) is found")
        var run = try decoder.run(program)
        var alone = [single, single, single]
        var positions = [0, 0, 0]
        var differs = false
        for (user, token) in Self.steps {
            let (logits, _) = try run.step(token, at: positions[user], user: user)
            let (expected, _) = try alone[user].step(token, at: positions[user])
            positions[user] += 1
            if logits != expected { differs = true }
        }
        #expect(differs, "\(name)")
    }
}

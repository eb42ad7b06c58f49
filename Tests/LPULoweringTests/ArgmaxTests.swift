import LPUDataflow
import LPULowering
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSchedule
import LPUSupport
import LPUVerifier
import Testing

/// A mistake planted in how the token of the greatest logit is found, at each op where it can be.
enum ArgmaxFault: String, CaseIterable {
    case highestToken, notEqual, lessThanGreatest, notKept, added
    case otherLogit, otherToken, firstTwice, secondTwice

    /// What is there instead of an op on a pair of operands; nil where it is no such op.
    func changed(
        _ operation: ALUOperation, _ a: ElementwiseOperand, _ b: ElementwiseOperand,
        other: ElementwiseOperand?
    ) -> OpKind? {
        switch (self, operation) {
        case (.highestToken, .minInt): .elementwise(.maxInt, a, b)
        case (.notEqual, .equal): .elementwise(.notEqual, a, b)
        case (.lessThanGreatest, .equal): .elementwise(.less, a, b)
        case (.notKept, .mask): .elementwise(.maskNot, a, b)
        case (.added, .minInt): .elementwise(.addInt, a, b)
        // Another one's, of the op of the kind before.
        case (.otherLogit, .equal), (.otherToken, .mask):
            other.map { .elementwise(operation, $0, b) }
        case (.firstTwice, .max), (.firstTwice, .minInt): .elementwise(operation, a, a)
        case (.secondTwice, .max), (.secondTwice, .minInt): .elementwise(operation, b, b)
        case _: nil
        }
    }
}

/// Law 16 on the choice of the token: what all must have part in, each op leaves its mark.
@Suite struct ArgmaxTests {
    private let decoder: Decoder
    private let program: Program
    private let head: Int

    init() throws {
        decoder = try Decoder(["vocab_size": 960])
        program = try decoder.program(context: 32)
        head = try #require(program.templates.firstIndex { $0.comparesNumbers })
    }

    private func violations(_ program: Program, _ decoder: Decoder) -> [Violation] {
        Verifier().refinement(program, ModelGraph(decoder.configuration), context: 32)
    }

    @Test(arguments: ArgmaxFault.allCases)
    func finds(_ fault: ArgmaxFault) throws {
        #expect(violations(program, decoder).isEmpty)
        var faulty: [Program] = []
        var last: [ALUOperation: ElementwiseOperand] = [:]
        for (o, op) in program.templates[head].ops.enumerated() {
            guard case .elementwise(let operation, let a, let b?) = op.kind else { continue }
            let other = last.updateValue(a, forKey: operation)
            guard let kind = fault.changed(operation, a, b, other: other), kind != op.kind
            else { continue }
            var changed = program
            changed.templates[head].ops[o].kind = kind
            faulty.append(changed)
        }
        #expect(faulty.count > 10, "\(fault) finds \(faulty.count) places")
        // The first ones are of tiles, the last ones of superlanes.
        let step = max(1, faulty.count / 12)
        for (i, program) in faulty.enumerated()
        where i % step == 0 || i < 3 || i >= faulty.count - 3 {
            try program.validate()
            #expect(!violations(program, decoder).isEmpty, "\(fault) at place \(i)")
        }
    }

    /// Every turn of the lanes has part in it.
    @Test func findsATurnTwice() throws {
        for (o, op) in program.templates[head].ops.enumerated() {
            var changed = program
            switch op.kind {
            case .distribute(let map, let use) where o % 5 == 0:
                changed.templates[head].ops[o].kind = .distribute(
                    Array(map.indices.map { Int16($0) }), use)
            case .permute(let map, let use) where o % 5 == 0:
                changed.templates[head].ops[o].kind = .permute(
                    Array(map.indices.map { Int16($0) }), use)
            case _: continue
            }
            #expect(!violations(changed, decoder).isEmpty, "\(op.kind)")
        }
    }

    /// Every chip's part has part in it, and stands under its own logit.
    @Test func findsAChipsPartMissing() throws {
        let machine = try #require(Machine.preset(named: "node8"))
        let program = try decoder.program(Plan(context: 32, tensorParallel: 2), on: machine)
        let head = try #require(program.templates.firstIndex { $0.comparesNumbers })
        #expect(violations(program, decoder).isEmpty)
        let template = program.templates[head]
        var places = 0
        for (o, op) in template.ops.enumerated() where template.values[op.result.index].chip == 0 {
            guard case .elementwise(let operation, let a, .use(let b)) = op.kind,
                case .op(let maker) = template.values[b.value.index].origin,
                case .transfer = template.ops[maker.index].kind
            else { continue }
            places += 1
            var changed = program
            changed.templates[head].ops[o].kind = .elementwise(operation, a, a)
            #expect(!violations(changed, decoder).isEmpty, "\(operation)")
        }
        #expect(places > 0)
    }

    /// A logit that is compared with the greatest must be the one that was, bit for bit: not one
    /// that was made by another op, though it is the same number but for roundings.
    @Test func findsALogitMadeTwice() throws {
        let template = program.templates[head]
        let limited = template.ops.filter {
            if case .elementwise(.min, _, _) = $0.kind { true } else { false }
        }
        #expect(limited.count == 3)
        var places = 0
        for (o, op) in template.ops.enumerated() {
            guard case .elementwise(.equal, .use(let logit), let greatest) = op.kind,
                let made = limited.first(where: { $0.result == logit.value }),
                case .elementwise(.min, let unlimited, _) = made.kind
            else { continue }
            places += 1
            var changed = program
            changed.templates[head].ops[o].kind = .elementwise(.equal, unlimited, greatest)
            #expect(!violations(changed, decoder).isEmpty)
        }
        #expect(places > 0)
    }
}

extension ProgramTemplate {
    /// `true` iff it is where the token is chosen.
    fileprivate var comparesNumbers: Bool {
        ops.contains { if case .elementwise(.equal, _, _) = $0.kind { true } else { false } }
    }
}

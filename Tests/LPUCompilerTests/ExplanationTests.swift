import LPUCompiler
import LPUDataflow
import LPUSchedule
import LPUSupport
import Testing

@Suite struct ExplanationTests {
    @Test func chainOfTheLastOpLeadsBackToTheFirstCycles() throws {
        let compilation = try TinyModel.compiled()
        let explainer = Explainer(compilation)
        let last = try explainer.explain(OpID(explainer.opCount - 1))
        #expect(last.timing.kind == "egress")
        let end = try #require(last.timing.issues?.upperBound)
        #expect(end == compilation.schedule.claims.length.count - 1)
        var op = last.timing
        for operand in last.chain {
            let (issues, start) = (try #require(operand.maker.issues), op.issues?.lowerBound)
            #expect(operand.maker.op < op.op)
            #expect(start == operand.slack.map { $0 + issues.upperBound })
            op = operand.maker
        }
        let root = try #require(last.chain.last?.maker)
        #expect(try explainer.explain(root.op).operands.isEmpty)
    }

    @Test func operandsStandByTheirSlack() throws {
        let explainer = Explainer(try TinyModel.compiled())
        for op in 0..<explainer.opCount {
            let explanation = try explainer.explain(OpID(op))
            let slacks = explanation.operands.compactMap(\.slack)
            #expect(slacks == slacks.sorted())
            #expect(explanation.timing.issues == nil || slacks.count == explanation.operands.count)
            #expect(try explainer.op(named: explanation.timing.place) == OpID(op))
            #expect(explanation.operands.allSatisfy { $0.maker.op.index < op })
        }
    }

    @Test func nameOfBytesStandsForItsOperands() throws {
        let explainer = Explainer(try TinyModel.compiled())
        let views = try (0..<explainer.opCount).map { try explainer.explain(OpID($0)) }
            .filter { $0.timing.kind == "byte" && $0.timing.issues == nil }
        #expect(views.count > 0)
        #expect(views.contains { !$0.operands.isEmpty && !$0.chain.isEmpty })
        #expect(views.allSatisfy { $0.operands.allSatisfy { $0.slack == nil } })
    }

    @Test func unknownOpIsRefused() throws {
        let explainer = Explainer(try TinyModel.compiled())
        let error = #expect(throws: DiagnosticSet.self) {
            try explainer.explain(OpID(explainer.opCount))
        }
        #expect(error?.diagnostics.map(\.id) == ["explain-op"])
    }
}

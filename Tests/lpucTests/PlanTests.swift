import Foundation
import Testing

@Suite struct PlanTests {
    private let lpuc: Binary
    init() throws { lpuc = try Binary("lpuc") }

    private func plan(_ graph: String, _ machine: String, _ options: String...) throws
        -> Binary.Outcome
    {
        try lpuc.run(["plan", "Graphs/\(graph).json", "--machine", machine] + options)
    }

    @Test func tableHasARowForEachPlan() throws {
        let outcome = try plan("tiny-llama", "node8", "--context", "64")
        #expect(outcome.status == 0, "\(outcome.errors)")
        let rows = outcome.text.split(separator: "\n").map { $0.split(separator: " ") }
        #expect(rows[0].first == "tp" && rows[0].last == "bound")
        // Eight degrees in one stage, four in two, two in three: one before the two layers.
        #expect(rows.count == 1 + 8 + 4 + 2)
        #expect(rows.dropFirst().contains { $0.first == "*" })
    }

    @Test func jsonIsSortedByTheObjective() throws {
        for key in ["length", "interval"] {
            let outcome = try plan(
                "tiny-llama", "node8", "--objective", key, "--format", "json", "--tp", "2")
            let rows = try #require(
                try JSONSerialization.jsonObject(with: outcome.output) as? [[String: Any]])
            let figures = rows.compactMap { $0["\(key)Cycles"] as? Int }
            #expect(figures.count == 3 && figures == figures.sorted())
            #expect(rows.allSatisfy { $0["tensorParallel"] as? Int == 2 })
            for row in rows {
                let bound = try #require(row["boundCycles"] as? Int)
                #expect(try #require(row["lengthCycles"] as? Int) >= bound && bound > 0)
            }
        }
    }

    @Test func whatDoesNotFitNamesTheMachineOnWhichItDoes() throws {
        let options = ["--weights", "fp8", "--kv", "fp8", "--context", "8192", "--tp", "16"]
        let graph = ["plan", "Graphs/llama-3.1-70b.json", "--machine", "lpx256"]
        let outcome = try lpuc.run(graph + options + ["--chips", "144"])
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains("[plan-capacity]") && outcome.output.isEmpty)
        let line = try #require(
            outcome.errors.split(separator: "\n").first { $0.contains("try: --chips ") })
        let chips = try #require(line.split(separator: " ").last.flatMap { Int($0) })
        #expect(try lpuc.run(graph + options + ["--chips", "\(chips)"]).status == 0)
        #expect(try lpuc.run(graph + options + ["--chips", "\(chips - 16)"]).status == 2)
    }

    @Test func contextBeyondTheModelIsADiagnostic() throws {
        let outcome = try plan("llama-3.1-70b", "lpx256", "--context", "200000")
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("max_position_embeddings"))
        #expect(outcome.errors.contains("[plan-context]"))
    }

    @Test func wiringIsADiagnostic() throws {
        let outcome = try plan("tiny-llama", "node8", "--tp", "9")
        #expect(outcome.status == 1 && outcome.errors.contains("[plan-wiring]"))
        let chips = try plan("tiny-llama", "lpx256", "--chips", "100")
        #expect(chips.status == 1 && chips.errors.contains("try 112"))
    }

    /// What `compile` takes by itself is the first row.
    @Test func compileTakesTheBest() throws {
        let outcome = try plan("tiny-llama", "node8", "--format", "json")
        let rows = try #require(
            try JSONSerialization.jsonObject(with: outcome.output) as? [[String: Any]])
        let emitted = try lpuc.run(
            "compile", Binary.config, "--machine", "node8", "--emit", "plan")
        let degree = try #require(rows.first?["tensorParallel"] as? Int)
        #expect(emitted.text.contains("tensorParallel \(degree)\n"), "\(emitted.text)")
    }
}

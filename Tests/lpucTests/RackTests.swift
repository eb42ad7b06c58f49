import Foundation
import Testing

/// The model that the rack is for, whole: what the README says of it stays true.
@Suite struct RackTests {
    private struct Report: Decodable {
        struct Step: Decodable { var cycles: Int }
        struct Bound: Decodable { var lengthPercent: Int }
        struct Efficiency: Decodable { var streamThousandths: Int }
        struct Verdict: Decodable { var accepted: Bool }
        var step: Step
        var bound: Bound
        var efficiency: Efficiency
        var verdict: Verdict
    }

    @Test func llama70BIsAcceptedShortAndSmall() throws {
        let folder = try Folder()
        let directory = folder / "rack"
        let outcome = try Binary("lpuc").run(
            "compile", "Graphs/llama-3.1-70b.json", "--machine", "lpx256", "--tp", "16", "--pp",
            "16", "--weights", "fp8", "--kv", "fp8", "--context", "8192", "-o", directory.path)
        try #require(outcome.status == 0, "\(outcome.errors)")
        let files = try contents(of: directory)
        let report = try JSONDecoder().decode(
            Report.self, from: try #require(files["report.json"]))
        #expect(report.verdict.accepted)
        // A step is 429,540 cycles: what makes it longer is to be known.
        #expect(report.step.cycles <= 420_000 && report.bound.lengthPercent <= 135)
        #expect(report.efficiency.streamThousandths >= 850)
        #expect(files.count == 18 && files.values.reduce(0) { $0 + $1.count } <= 100_000_000)
    }
}

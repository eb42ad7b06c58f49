import Foundation
import LPUDataflow
import LPUMachine
import LPUModel
import LPUPlanning
import LPUSchedule
public import LPUScheduler
public import LPUSupport
import LPUVerifier

/// The text files of a compilation, by name; together they need nothing else.
public enum CompilationFile: String, Hashable, Sendable, CaseIterable {
    /// The model as it was given.
    case config = "config.json"
    /// The model's graph, for people.
    case model = "model.txt"
    case plan = "plan.txt"
    case machine = "machine.txt"
    case dataflow = "dataflow.txt"
    case schedule = "schedule.txt"
    case certificate = "certificate.txt"
    /// The figures for people.
    case summary = "summary.txt"
    /// The figures, and the digests of all other files.
    case report = "report.json"
}

/// A compilation as files, and back.
public struct CompilationFiles: Sendable {
    public let report: Report
    /// Every file once, the report last.
    public let files: [(file: CompilationFile, bytes: [UInt8])]

    /// - Parameters:
    ///   - name: what the model is called.
    ///   - config: the bytes that the model was read from.
    /// - Requires: the verifier accepted the compilation.
    /// - Complexity: O(text).
    public init(
        _ compilation: Compilation, named name: String, config: [UInt8], strategy: Strategy
    ) {
        var report = Report(compilation, named: name, strategy: strategy)
        let certificate = compilation.verdict?.description ?? ""
        var files: [(file: CompilationFile, bytes: [UInt8])] = [
            (.config, config),
            (.model, Array(ModelGraph(compilation.model).description.utf8)),
            (.plan, Array(compilation.plan.text.utf8)),
            (.machine, Array(compilation.machine.text.utf8)),
            (.dataflow, Array(compilation.program.text.utf8)),
            (.schedule, compilation.schedule.text(on: compilation.machine)),
            (.certificate, Array((certificate + "\n").utf8)),
            (.summary, Array(report.summary.utf8)),
        ]
        for (file, bytes) in files { report.digests[file.rawValue] = SHA256.hexDigest(of: bytes) }
        files.append((.report, report.json))
        self.report = report
        self.files = files
    }
}

extension Report {
    /// Sorted keys, so that equal reports are equal bytes; ends with a line feed.
    public var json: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else {
            preconditionFailure("a report holds only numbers and strings")
        }
        return [UInt8](data) + [UInt8(ascii: "\n")]
    }

    /// - Throws: `report-syntax` where it is no report.
    public init(json: [UInt8], file: String) throws(DiagnosticSet) {
        do {
            self = try JSONDecoder().decode(Report.self, from: Data(json))
        } catch {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place(file), id: "report-syntax",
                    "it is no report of this version: compile again"))
        }
    }
}

extension Compilation {
    /// Reads a compilation back and its report; nothing in it is verified.
    ///
    /// - Parameters:
    ///   - threads: of two, one reads the dataflow program and the other the schedule.
    ///   - read: the bytes of a file, and what to call it in diagnostics.
    /// - Throws: what `read` throws, what the texts are refused for, and `compilation-digest` for
    ///   a file that is not the one the report was made of.
    public static func reading(
        threads: Int = 1,
        _ read: (CompilationFile) throws(DiagnosticSet) -> (bytes: [UInt8], name: String)
    ) throws(DiagnosticSet) -> (compilation: Compilation, report: Report) {
        let (json, name) = try read(.report)
        let report = try Report(json: json, file: name)
        let digests = report.digests
        @Sendable func check(
            _ bytes: [UInt8], _ file: CompilationFile, _ name: String
        ) throws(DiagnosticSet) {
            let (found, expected) = (SHA256.hexDigest(of: bytes), digests[file.rawValue])
            guard found == expected else {
                throw DiagnosticSet(
                    Diagnostic(
                        at: Diagnostic.Place(name), id: "compilation-digest",
                        "its digest is \(found.prefix(16)), the report says "
                            + "\(expected?.prefix(16) ?? "none")",
                        notes: ["try: lpuc verify SCHEDULE --dataflow FILE --machine FILE"]))
            }
        }
        func checked(
            _ file: CompilationFile
        ) throws(DiagnosticSet) -> (bytes: [UInt8], name: String) {
            let (bytes, name) = try read(file)
            try check(bytes, file, name)
            return (bytes, name)
        }
        func text(_ file: CompilationFile) throws(DiagnosticSet) -> (text: String, name: String) {
            let (bytes, name) = try checked(file)
            return (String(decoding: bytes, as: UTF8.self), name)
        }
        for file in [CompilationFile.model, .certificate, .summary] { _ = try checked(file) }
        let config = try checked(.config)
        let plan = try text(.plan)
        let machineText = try text(.machine)
        let machine = try Machine(parsing: machineText.text, file: machineText.name)
        let (dataflow, schedule) = (try read(.dataflow), try read(.schedule))
        let model = try ModelConfiguration(huggingFace: config.bytes, file: config.name)
        let parsedPlan = try Plan(parsing: plan.text, file: plan.name)
        let (program, parsedSchedule) = concurrently(threads: threads) {
            Result { () throws(DiagnosticSet) -> Program in
                try check(dataflow.bytes, .dataflow, dataflow.name)
                return try Program(parsing: dataflow.bytes, file: dataflow.name)
            }
        } _: {
            Result { () throws(DiagnosticSet) -> Schedule in
                try check(schedule.bytes, .schedule, schedule.name)
                return try Schedule(parsing: schedule.bytes, file: schedule.name, machine: machine)
            }
        }
        let compilation = Compilation(
            model: model, plan: parsedPlan, machine: machine, program: try program.get(),
            schedule: try parsedSchedule.get())
        return (compilation, report)
    }
}

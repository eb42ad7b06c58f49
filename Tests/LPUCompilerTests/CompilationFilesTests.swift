import LPUCompiler
import LPUDataflow
import LPUMachine
import LPUSchedule
import LPUScheduler
import LPUSupport
import LPUVerifier
import Testing

@Suite struct CompilationFilesTests {
    private let compilation: Compilation
    private let files: CompilationFiles

    init() throws {
        compilation = try TinyModel.compiled()
        let verdict = try #require(compilation.verdict)
        try #require(verdict.isAccepted, "\(verdict)")
        files = CompilationFiles(
            compilation, named: "tiny", config: TinyModel.config, strategy: .list)
    }

    /// Reads the files back, one of them changed by `edit`.
    private func read(
        _ changed: CompilationFile? = nil, _ edit: (inout [UInt8]) -> Void = { _ in }
    ) throws(DiagnosticSet) -> (compilation: Compilation, report: Report) {
        try Compilation.reading { (file) throws(DiagnosticSet) in
            var bytes = files.files.first { $0.file == file }?.bytes ?? []
            if file == changed { edit(&bytes) }
            return (bytes, file.rawValue)
        }
    }

    @Test func everyFileIsWrittenOnceAndNamedByTheReport() {
        #expect(Set(files.files.map(\.file)) == Set(CompilationFile.allCases))
        #expect(files.files.count == CompilationFile.allCases.count)
        for (file, bytes) in files.files where file != .report {
            #expect(files.report.digests[file.rawValue] == SHA256.hexDigest(of: bytes))
        }
    }

    @Test func compilationIsReadBackEqual() throws {
        let (read, report) = try read()
        #expect(read.model == compilation.model)
        #expect(read.plan == compilation.plan)
        #expect(read.machine == compilation.machine)
        #expect(read.program == compilation.program)
        #expect(read.schedule == compilation.schedule)
        #expect(read.verdict == nil)
        #expect(report == files.report)
    }

    @Test func filesThatAreNotTheReportsAreRefused() throws {
        for file in CompilationFile.allCases where file != .report {
            let error = #expect(throws: DiagnosticSet.self, "\(file)") {
                try read(file) { $0.append(UInt8(ascii: "\n")) }
            }
            #expect(error?.diagnostics.first?.id == "compilation-digest")
        }
        let error = #expect(throws: DiagnosticSet.self) { try read(.report) { $0.removeLast(9) } }
        #expect(error?.diagnostics.first?.id == "report-syntax")
    }

    @Test func reportCountsWhatTheScheduleClaims() throws {
        let report = files.report
        #expect(report.step.cycles == compilation.schedule.claims.length.count)
        #expect(report.step.issues == compilation.schedule.claims.issueCount)
        // 900 cycles take 1000 ns.
        #expect(abs(report.step.nanoseconds * 9 - report.step.cycles * 10) <= 9)
        #expect(report.step.tokensPerSecond == 900_000_000 / report.step.cycles)
        #expect(
            report.machine.grades.map(\.numbers).reduce(0, +) == compilation.machine.sources.count)
        #expect(!report.machine.hypotheses.isEmpty)
        #expect(report.summary.split(separator: "\n").allSatisfy { $0.count <= 100 })
    }

    @Test func usedRowsAreCountedOnce() {
        let chip = compilation.machine.chip
        var rows = Set<[Int]>()
        var imageRows = Set<[Int]>()
        for placement in compilation.schedule.placements {
            for program in compilation.schedule.templates[placement.template].chips {
                for allocation in program.allocations {
                    let base = placement.resolve(allocation.base)!
                    let (bank, row) = (Int(base.bank), Int(base.row))
                    for r in row..<row + Int(allocation.rows) {
                        let side = Int(allocation.hemisphere.rawValue)
                        rows.insert([side, Int(allocation.slice), bank, r])
                        if allocation.isImage {
                            imageRows.insert([side, Int(allocation.slice), bank, r])
                        }
                    }
                }
            }
        }
        let use = SRAMUse.perChip(compilation.schedule, on: compilation.machine)
        #expect(use.map(\.bytes) == [rows.count * chip.lanes])
        #expect(use.map(\.imageBytes) == [imageRows.count * chip.lanes])
    }
}

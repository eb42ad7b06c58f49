import Foundation
import Testing

/// One compilation that the tests of this target share.
enum Demo {
    private static let folder = Result { try Folder() }
    private static let outcome = Result {
        // A static is never released.
        atexit { try? FileManager.default.removeItem(at: Demo.folder.get().url) }
        return try Binary("lpuc").run(
            "compile", Binary.config, "--machine", "groqchip1", "--context", "24",
            "-o", (try folder.get() / "demo").path)
    }

    static func compiled() throws -> (url: URL, outcome: Binary.Outcome) {
        (try folder.get() / "demo", try outcome.get())
    }
}

@Suite struct CompileTests {
    private let lpuc: Binary
    init() throws { lpuc = try Binary("lpuc") }

    @Test func summaryAndDirectorySayTheSame() throws {
        let (url, outcome) = try Demo.compiled()
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.errors.isEmpty)
        let files = try contents(of: url)
        #expect(files["summary.txt"] == outcome.output)
        #expect(outcome.text.contains("verdict     accepted: 16 laws"))
        for name in ["layer", "timing", "pipeline"] {
            #expect(
                files[name + ".png"]?.starts(with: [0x89, 0x50, 0x4e, 0x47]) == true, "\(name)")
            let svg = String(decoding: files[name + ".svg"] ?? Data(), as: UTF8.self)
            #expect(svg.contains("<svg") && svg.contains("</svg>"))
        }
    }

    @Test func freshProcessesGiveEqualBytes() throws {
        let (url, _) = try Demo.compiled()
        let folder = try Folder()
        let again = try lpuc.run(
            "compile", Binary.config, "--machine", "groqchip1", "--context", "24",
            "-o", (folder / "again").path, "--threads", "3", "--format", "json")
        #expect(again.status == 0)
        let (first, second) = (try contents(of: url), try contents(of: folder / "again"))
        #expect(first.keys.sorted() == second.keys.sorted())
        for name in first.keys.sorted() {
            #expect(first[name] == second[name], "\(name) differs between two processes")
        }
        #expect(second["report.json"] == again.output)
        #expect(try folder.names == ["again"])
    }

    @Test func valuesAreEmittedAsTheDirectoryHoldsThem() throws {
        let files = try contents(of: try Demo.compiled().url)
        let folder = try Folder()
        for stage in ["model", "plan", "dataflow", "schedule"] {
            let arguments = [
                "compile", Binary.config, "--machine", "groqchip1", "--context", "24",
                "--emit", stage,
            ]
            let shown = try lpuc.run(arguments)
            #expect(shown.status == 0)
            #expect(shown.output == files[stage + ".txt"], "\(stage)")
            let file = folder / stage
            #expect(try lpuc.run(arguments + ["-o", file.path]).output.isEmpty)
            #expect(try Data(contentsOf: file) == shown.output)
        }
        #expect(try folder.names == ["dataflow", "model", "plan", "schedule"])
    }

    @Test func planAndMachineAreReadBack() throws {
        let (url, _) = try Demo.compiled()
        let shown = try lpuc.run(
            "compile", Binary.config, "--machine", url.appending(path: "machine.txt").path,
            "--plan", url.appending(path: "plan.txt").path, "--emit", "schedule")
        #expect(shown.status == 0, "\(shown.errors)")
        #expect(shown.output == (try contents(of: url))["schedule.txt"])
    }
}

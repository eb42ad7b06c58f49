import Foundation
import Testing

@Suite struct OutputTests {
    private func arguments(_ target: URL) -> [String] {
        [
            "compile", Binary.config, "--machine", "groqchip1", "--context", "8",
            "-o", target.path,
        ]
    }

    /// At any time a directory is there whole or not at all, and what a kill leaves behind is gone
    /// after the next run.
    @Test(arguments: [SIGKILL, SIGTERM])
    func killedProcessLeavesNoPart(_ signal: Int32) throws {
        let lpuc = try Binary("lpuc")
        let (folder, logs) = (try Folder(), try Folder())
        let whole = folder / "whole"
        #expect(try lpuc.run(arguments(whole)).status == 0)
        let names = try contents(of: whole).keys.sorted()
        let target = folder / "target"
        for milliseconds in [1, 50, 300, 600, 900, 1200] {
            let process = try lpuc.start(
                arguments(target), output: logs / "output", errors: logs / "errors")
            usleep(UInt32(milliseconds) * 1000)
            kill(process.processIdentifier, signal)
            process.waitUntilExit()
            if FileManager.default.fileExists(atPath: target.path) {
                #expect(try contents(of: target).keys.sorted() == names, "\(milliseconds) ms")
            }
            if signal == SIGTERM {
                #expect(try folder.names.allSatisfy { !$0.hasPrefix(".") }, "\(milliseconds) ms")
            }
        }
        #expect(try lpuc.run(arguments(target)).status == 0)
        #expect(try folder.names == ["target", "whole"])
        #expect(try contents(of: target) == contents(of: whole))
    }

    @Test func standardOutputThatTakesNothingIsRefused() throws {
        let lpuc = try Binary("lpuc")
        let shell = Binary(url: URL(filePath: "/bin/sh"))
        for (target, reason) in [
            (">/dev/full", "no space left on device"), (">&-", "bad file descriptor"),
        ] {
            let outcome = try shell.run("-c", "'\(lpuc.url.path)' machines \(target)")
            #expect(outcome.status == 1)
            #expect(outcome.errors == "standard output: error: \(reason) [file-write]\n")
        }
    }

    @Test func leftoversOfKilledProcessesAreRemoved() throws {
        let folder = try Folder()
        let leftover = folder / ".target.partial-1"
        try FileManager.default.createDirectory(
            at: leftover.appending(path: "directory"), withIntermediateDirectories: true)
        let target = folder / "target"
        #expect(try Binary("lpuc").run(arguments(target)).status == 0)
        #expect(try folder.names == ["target"])
    }

    @Test func directoryOfOursIsReplacedAndNoOther() throws {
        let lpuc = try Binary("lpuc")
        let folder = try Folder()
        let target = folder / "target"
        #expect(try lpuc.run(arguments(target)).status == 0)
        let first = try contents(of: target)
        try Data("old".utf8).write(to: target.appending(path: "summary.txt"))
        #expect(try lpuc.run(arguments(target)).status == 0)
        #expect(try contents(of: target) == first)
        try Data("mine".utf8).write(to: target.appending(path: "notes.txt"))
        let outcome = try lpuc.run(arguments(target))
        #expect(outcome.status == 1)
        #expect(
            outcome.errors.contains("'notes.txt'") && outcome.errors.contains("[output-exists]"))
        #expect(try Data(contentsOf: target.appending(path: "notes.txt")) == Data("mine".utf8))
    }
}

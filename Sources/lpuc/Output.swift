import Foundation
import LPUSupport

/// A file or directory that appears whole or not at all.
///
/// It is made in a hidden sibling and renamed. A killed process leaves at most that sibling; as its
/// lock is gone with the process, the next one that writes here removes it.
struct Output {
    let path: String
    private let target: URL
    private let parent: URL

    init(_ path: String) {
        self.path = path
        target = URL(filePath: path).standardizedFileURL
        parent = target.deletingLastPathComponent()
    }

    /// Writes one file, in the place of one that is there.
    func write(_ bytes: [UInt8]) throws(DiagnosticSet) {
        try stage { staging in
            let file = staging.appending(path: "file")
            try Data(bytes).write(to: file)
            try check(rename(file.path, target.path))
        }
    }

    /// Writes a directory of files, in the place of one that holds only files of these names.
    func write(directory files: [(name: String, bytes: [UInt8])]) throws(DiagnosticSet) {
        try checkDirectory(of: files.map(\.name))
        try stage { staging in
            let directory = staging.appending(path: "directory")
            try check(mkdir(directory.path, 0o777))
            for (name, bytes) in files {
                try Data(bytes).write(to: directory.appending(path: name))
            }
            if FileManager.default.fileExists(atPath: target.path) {
                try check(rename(target.path, staging.appending(path: "old").path))
            }
            try check(rename(directory.path, target.path))
        }
    }

    /// Throws `output-exists` where something is there that files of these names do not replace.
    func checkDirectory(of names: [String]) throws(DiagnosticSet) {
        guard !path.isEmpty else {
            throw failure("output-exists", "a path without a name is given: give another -o")
        }
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: target.path, isDirectory: &isDirectory) else {
            return
        }
        let found = try? FileManager.default.contentsOfDirectory(atPath: target.path).sorted()
        guard isDirectory.boolValue, let found else {
            throw failure("output-exists", "it exists and is no directory: give another -o")
        }
        if let foreign = found.first(where: { !names.contains($0) }) {
            throw failure(
                "output-exists",
                "the directory holds '\(foreign)', which is not of a compilation: give another -o")
        }
    }

    private func stage(_ body: (URL) throws -> Void) throws(DiagnosticSet) {
        do {
            try FileManager.default.createDirectory(
                at: parent, withIntermediateDirectories: true)
            removeLeftovers()
            let staging = parent.appending(path: prefix + String(getpid()))
            try check(mkdir(staging.path, 0o777))
            // A polite end waits for these few milliseconds: then nothing is left behind.
            let handlers = signals.map { signal($0, SIG_IGN) }
            defer { for (number, handler) in zip(signals, handlers) { signal(number, handler) } }
            let lock = open(staging.path, O_RDONLY | O_CLOEXEC)
            flock(lock, LOCK_EX)
            defer {
                try? FileManager.default.removeItem(at: staging)
                close(lock)
            }
            try body(staging)
        } catch let error as SystemError {
            throw failure("file-write", systemReason(error.code))
        } catch let error as CocoaError where error.underlying is POSIXError {
            let code = (error.underlying as? POSIXError)?.code.rawValue ?? 0
            throw failure("file-write", systemReason(code))
        } catch {
            throw failure("file-write", "it cannot be written")
        }
    }

    private var prefix: String { ".\(target.lastPathComponent).partial-" }

    /// Siblings whose processes were killed: nobody holds their locks.
    private func removeLeftovers() {
        let siblings = (try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? []
        for name in siblings.sorted() where name.hasPrefix(prefix) {
            let leftover = parent.appending(path: name)
            let lock = open(leftover.path, O_RDONLY | O_CLOEXEC)
            guard lock >= 0 else { continue }
            if flock(lock, LOCK_EX | LOCK_NB) == 0 {
                try? FileManager.default.removeItem(at: leftover)
            }
            close(lock)
        }
    }

    private func failure(_ id: String, _ message: String) -> DiagnosticSet {
        DiagnosticSet(Diagnostic(at: Diagnostic.Place(path), id: id, message))
    }
}

/// What ends a process that does not catch it.
private let signals = [SIGHUP, SIGINT, SIGTERM]

/// What a call of the system said.
private struct SystemError: Error {
    var code: Int32
}

private func check(_ status: Int32) throws(SystemError) {
    if status != 0 { throw SystemError(code: errno) }
}

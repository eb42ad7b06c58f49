public import Foundation
public import LPUCompiler
import LPUDataflow
import LPUMachine
import LPUSchedule
import LPUSupport
import LPUVerifier
public import Testing

/// Expects that no law refuses the compilation's schedule, of its machine and of its program;
/// the issue lists the first violations.
///
/// - Complexity: that of `Verifier.verify` and of `symbolicRun`.
public func expectVerified(
    _ compilation: Compilation, sourceLocation: SourceLocation = #_sourceLocation
) {
    let (machine, schedule) = (compilation.machine, compilation.schedule)
    let structural = Verifier().verify(machine: machine, schedule: schedule)
    let symbolic = symbolicRun(machine: machine, schedule: schedule, program: compilation.program)
    let violations = structural.violations + symbolic.violations
    guard !violations.isEmpty else { return }
    let shown = violations.prefix(8).map(\.description).joined(separator: "\n")
    Issue.record(
        "the schedule breaks \(violations.count) times a law\n\(shown)",
        sourceLocation: sourceLocation)
}

/// Expects that one step takes no more than `limit` cycles, counted anew from the bursts.
public func expectLength(
    _ compilation: Compilation, atMost limit: Int,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let length = compilation.schedule.recomputedClaims(on: compilation.machine).length.count
    guard length > limit else { return }
    Issue.record(
        "the step takes \(length) cycles, \(length - limit) more than \(limit)",
        sourceLocation: sourceLocation)
}

/// Expects that the schedule's text has the digest: SHA-256 in lower-case hexadecimal, as
/// `Schedule.digest(on:)` gives it.
public func expectDigest(
    _ compilation: Compilation, _ digest: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let found = compilation.schedule.digest(on: compilation.machine)
    guard found != digest else { return }
    Issue.record("the digest is \(found), not \(digest)", sourceLocation: sourceLocation)
}

/// Expects that `compile` gives the same schedule text twice; the issue names the first line of
/// it that differs: as a rule, an instruction.
///
/// Both runs share this process, so that what hashes differently in each process (the order of a
/// `Set`) may pass: `expectDeterministic(running:)` is for that.
/// - Throws: what `compile` throws.
public func expectDeterministic(
    sourceLocation: SourceLocation = #_sourceLocation,
    _ compile: () throws -> Compilation
) rethrows {
    let (first, second) = try (lines(compile()), lines(compile()))
    if let difference = difference(first, second) {
        Issue.record("the schedules differ \(difference)", sourceLocation: sourceLocation)
    }
}

/// Expects that a program prints the same in every one of some fresh processes, each with hash
/// seeds of its own, such as `lpuc compile ... --emit schedule`; the issue names the first line
/// that differs: as a rule, an instruction.
///
/// - Parameters:
///   - processes: 2 or more; they run one after the other.
///   - arguments: for the number of each process, so that it can be told its threads.
/// - Throws: what the system says of a program that it cannot run.
public func expectDeterministic(
    running executable: URL, processes: Int = 3, sourceLocation: SourceLocation = #_sourceLocation,
    _ arguments: (_ process: Int) -> [String]
) throws {
    precondition(processes > 1, "one process is like itself")
    let first = try lines(printed(by: executable, arguments(0)))
    for k in 1..<processes {
        let other = try lines(printed(by: executable, arguments(k)))
        if let difference = difference(first, other) {
            Issue.record("process \(k) differs \(difference)", sourceLocation: sourceLocation)
            return
        }
    }
}

/// What a program prints; it ends with its status, which is part of what must be the same.
private func printed(by executable: URL, _ arguments: [String]) throws -> [UInt8] {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = executable
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.filter {
        $0.key != "SWIFT_DETERMINISTIC_HASHING"
    }
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return [UInt8](data) + Array("\nstatus \(process.terminationStatus)".utf8)
}

/// Where two texts first differ; nil where they do not.
private func difference(_ first: [Substring], _ second: [Substring]) -> String? {
    guard first != second else { return nil }
    let line = zip(first, second).prefix { $0 == $1 }.count
    func text(_ lines: [Substring]) -> Substring { line < lines.count ? lines[line] : "nothing" }
    return """
        from line \(line + 1) on
        first:  \(text(first))
        second: \(text(second))
        """
}

private func lines(_ text: [UInt8]) -> [Substring] {
    String(decoding: text, as: UTF8.self)
        .split(separator: "\n", omittingEmptySubsequences: false)
}

private func lines(_ compilation: Compilation) -> [Substring] {
    lines(compilation.schedule.text(on: compilation.machine))
}

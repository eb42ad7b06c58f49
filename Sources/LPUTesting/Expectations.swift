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
/// `Set`) may pass: compile in two processes for that.
/// - Throws: what `compile` throws.
public func expectDeterministic(
    sourceLocation: SourceLocation = #_sourceLocation,
    _ compile: () throws -> Compilation
) rethrows {
    let (first, second) = try (lines(compile()), lines(compile()))
    guard first != second else { return }
    let line = zip(first, second).prefix { $0 == $1 }.count
    func text(_ lines: [Substring]) -> Substring { line < lines.count ? lines[line] : "nothing" }
    Issue.record(
        """
        the schedules differ from line \(line + 1) on
        first:  \(text(first))
        second: \(text(second))
        """, sourceLocation: sourceLocation)
}

private func lines(_ compilation: Compilation) -> [Substring] {
    String(decoding: compilation.schedule.text(on: compilation.machine), as: UTF8.self)
        .split(separator: "\n", omittingEmptySubsequences: false)
}

import ArgumentParser
import Foundation
import LPUCompiler
import LPUMachine
import LPUModel
import LPUSupport

/// The whole file.
/// - Throws: `file-read` with the system's reason.
func readFile(_ path: String) throws(DiagnosticSet) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    let reason = systemReason(errno)
    defer { if descriptor >= 0 { close(descriptor) } }
    if descriptor >= 0, let bytes = contents(of: descriptor) { return bytes }
    throw DiagnosticSet(
        Diagnostic(
            at: Diagnostic.Place(path), id: "file-read",
            descriptor < 0 ? reason : "it is no readable file"))
}

/// All that is to be read; nil where that fails, such as for a directory, which can be opened.
private func contents(of descriptor: Int32) -> [UInt8]? {
    var status = stat()
    // A byte more than the file has shows its end; what has no size, such as a pipe, is read on.
    var room = fstat(descriptor, &status) == 0 ? Int(status.st_size) + 1 : 1
    var bytes: [UInt8] = []
    while true {
        var count = 0
        let piece = [UInt8](unsafeUninitializedCapacity: room) { buffer, initialized in
            count = Foundation.read(descriptor, buffer.baseAddress, room)
            initialized = max(count, 0)
        }
        if count < 0 { return nil }
        if count == 0 { return bytes }
        if bytes.isEmpty { bytes = piece } else { bytes += piece }
        room = max(1 << 16, room - count)
    }
}

/// What the system says of an `errno`, such as `no such file or directory`.
func systemReason(_ code: Int32) -> String { String(cString: strerror(code)).lowercased() }

/// A model's description: a file in the Hugging Face spelling, or the directory that holds it.
struct ModelFile {
    let path: String
    let bytes: [UInt8]
    let model: ModelConfiguration

    /// What it is called: the name of the file or, as models' own files are all called alike, of
    /// the directory around it.
    let name: String

    /// - Throws: as `readFile` and `ModelConfiguration.init`.
    init(_ given: String) throws(DiagnosticSet) {
        var isDirectory: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: given, isDirectory: &isDirectory)
        let file = URL(filePath: given)
        path =
            exists && isDirectory.boolValue
            ? file.appending(path: "config.json").relativePath : given
        bytes = try readFile(path)
        model = try ModelConfiguration(huggingFace: bytes, file: path)
        let own = URL(filePath: path).standardizedFileURL
        let folder = own.deletingLastPathComponent().lastPathComponent
        name =
            own.lastPathComponent == "config.json" && folder != "/"
            ? folder : own.deletingPathExtension().lastPathComponent
    }
}

/// The preset of that name, or the machine that the file of that name describes.
func machine(named name: String) throws(DiagnosticSet) -> Machine {
    if let preset = Machine.preset(named: name) { return preset }
    guard FileManager.default.fileExists(atPath: name) else {
        throw DiagnosticSet(
            Diagnostic(
                at: Diagnostic.Place(name), id: "machine-unknown",
                "it is neither a preset nor a machine file",
                notes: ["try: " + Machine.presetNames.joined(separator: ", ")]))
    }
    return try Machine(parsing: String(decoding: readFile(name), as: UTF8.self), file: name)
}

/// The same with its last axis so much shorter or longer that it has as many chips as asked for.
/// - Throws: `chips-unwired` where it cannot have so many, or not `most`.
func machine(
    named name: String, chips: Int?, most: Int = Machine.mostChips
) throws(DiagnosticSet) -> Machine {
    let machine = try machine(named: name)
    guard let chips else { return machine }
    guard (1...most).contains(chips) else {
        throw DiagnosticSet(
            Diagnostic(
                at: Diagnostic.Place("--chips"), id: "chips-unwired",
                "\(chips) chips are asked for, \(most) at most: give 1 to \(most)"))
    }
    if let resized = machine.resized(chips: chips) { return resized }
    let unit = machine.chipsPerUnit
    let near = (chips + unit - 1) / unit * unit
    throw DiagnosticSet(
        Diagnostic(
            at: Diagnostic.Place("--chips"), id: "chips-unwired",
            machine.topology.axes.isEmpty
                ? "\(machine.name) is one chip without links: take another machine"
                : near == chips
                    ? "\(machine.name) has no links for \(chips) chips: ask for fewer"
                    : "\(machine.name) has no \(chips) chips, it grows by \(unit): try \(near)"))
}

/// The compilation that `lpuc compile` wrote into a directory.
func readCompilation(
    _ directory: String, threads: Int = 1
) throws(DiagnosticSet) -> (compilation: Compilation, report: Report) {
    try Compilation.reading(threads: threads) { (file) throws(DiagnosticSet) in
        let path = URL(filePath: directory).appending(path: file.rawValue).relativePath
        return (try readFile(path), path)
    }
}

/// How many threads work; no result depends on it.
struct ThreadOptions: ParsableArguments {
    @Option(
        name: .customLong("threads"),
        help: "Threads to work in; no result depends on it. (default: one a processor)")
    private var asked: Int?

    var threads: Int { asked ?? ProcessInfo.processInfo.activeProcessorCount }

    func validate() throws {
        if !(1...1024).contains(threads) {
            throw ValidationError("--threads is \(threads), it may be 1 to 1024")
        }
    }
}

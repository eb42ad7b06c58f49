import LPUSupport

/// A key of the machine file: what it is called, which number of the chip it is, what it may be.
///
/// The one table that reader, printer and summary are driven by.
struct MachineKey: Sendable {
    enum Value: Sendable {
        case integer(any WritableKeyPath<Chip, Int> & Sendable, ClosedRange<Int>)
        /// `0,2,5`
        case list(any WritableKeyPath<Chip, [Int]> & Sendable)
        /// `0,1 2,3`: a list a word.
        case lists(any WritableKeyPath<Chip, [[Int]]> & Sendable)
        /// `984/25` cycles a vector.
        case interval(any WritableKeyPath<Chip, Rational> & Sendable)
    }

    var name: String
    /// For people; empty for a plain count.
    var unit: String
    var value: Value
}

private let cycles = 0...4096
/// What is there in the cycle of its issue would depend on the order of the queues.
private let latency = 1...4096

private func key(
    _ name: String, _ unit: String, _ range: ClosedRange<Int>,
    _ path: any WritableKeyPath<Chip, Int> & Sendable
) -> MachineKey {
    MachineKey(name: name, unit: unit, value: .integer(path, range))
}

extension MachineKey {
    /// In the file's order. The ranges keep every sum and product of the machine's numbers far
    /// from an overflow, and every id inside its type.
    static let all: [MachineKey] = vector + memory + mxm + vxm + sxm + links + text

    static func named(_ name: some StringProtocol) -> MachineKey? { all.first { $0.name == name } }

    private static let vector: [MachineKey] = [
        key("clockMegahertz", "MHz", 1...100_000, \.clockMegahertz),
        key("superlanes", "", 1...64, \.superlanes),
        key("lanesPerSuperlane", "bytes", 16...64, \.lanesPerSuperlane),
        key("streamsPerDirection", "", 4...256, \.streamsPerDirection),
        key("streamsPerGroup", "", 4...64, \.streamsPerGroup),
    ]

    private static let memory: [MachineKey] = [
        key("memSlicesPerHemisphere", "", 1...255, \.memSlicesPerHemisphere),
        key("memSlicesPerGroup", "", 1...255, \.memSlicesPerGroup),
        key("banksPerSlice", "", 1...2, \.banksPerSlice),
        key("rowsPerBank", "vectors", 1...65_536, \.rowsPerBank),
        key("readLatency", "cycles", latency, \.readLatency),
        key("gatherLatency", "cycles", latency, \.gatherLatency),
        key("writeToRead", "cycles", latency, \.writeToRead),
        key("gatherOffsetBits", "bits", 1...16, \.gatherOffsetBits),
    ]

    private static let mxm: [MachineKey] = [
        key("planesPerHemisphere", "", 1...8, \.planesPerHemisphere),
        key("planeRows", "vectors", 1...4096, \.planeRows),
        key("weightStreamsPerPlane", "", 1...256, \.weightStreamsPerPlane),
        key("installLatency", "cycles", latency, \.installLatency),
        key("loadBeforeInstall", "cycles", cycles, \.loadBeforeInstall),
        key("installCadence", "cycles", 1...4096, \.installCadence),
        key("matmulCadence", "cycles", 1...4096, \.matmulCadence),
        key("tandemCadence", "cycles", 1...4096, \.tandemCadence),
        key("matmulToAccumulate", "cycles", latency, \.matmulToAccumulate),
        key("accumulateLatency", "cycles", latency, \.accumulateLatency),
        key("accumulatorRows", "vectors", 1...32_767, \.accumulatorRows),
    ]

    private static let vxm: [MachineKey] = [
        key("aluCount", "", 1...64, \.aluCount),
        key("aluColumns", "", 1...64, \.aluColumns),
        key("vxmEntryLatency", "cycles", cycles, \.vxmEntryLatency),
        key("vxmExitLatency", "cycles", cycles, \.vxmExitLatency),
        key("aluLatency", "cycles", latency, \.aluLatency),
        MachineKey(name: "aluRowGroups", unit: "", value: .lists(\.aluRowGroups)),
        MachineKey(name: "largeAlus", unit: "", value: .list(\.largeALUs)),
    ]

    private static let sxm: [MachineKey] = [
        key("distributors", "", 0...64, \.distributors),
        key("distributorStreams", "", 1...64, \.distributorStreams),
        key("distributeLatency", "cycles", latency, \.distributeLatency),
        key("transposers", "", 0...64, \.transposers),
        key("transposerStreams", "", 1...64, \.transposerStreams),
        key("transposeLatency", "cycles", latency, \.transposeLatency),
        key("permutors", "", 0...64, \.permutors),
        key("permutorStreams", "", 1...64, \.permutorStreams),
        key("permuteLatency", "cycles", latency, \.permuteLatency),
        key("shifters", "", 0...64, \.shifters),
        key("shifterStreams", "", 1...64, \.shifterStreams),
        key("shiftLatency", "cycles", latency, \.shiftLatency),
        key("rotateLatency", "cycles", latency, \.rotateLatency),
        key("selectLatency", "cycles", latency, \.selectLatency),
    ]

    private static let links: [MachineKey] = [
        key("linkCount", "", 0...1024, \.linkCount),
        key("receiveLatency", "cycles", latency, \.receiveLatency),
        key("receiveDepth", "vectors", 1...4096, \.receiveDepth),
        key("ingressLatency", "cycles", latency, \.ingressLatency),
        MachineKey(name: "hostInterval", unit: "cycles", value: .interval(\.hostInterval)),
    ]

    private static let text: [MachineKey] = [
        key("instructionBytes", "bytes", 1...1024, \.instructionBytes),
        key("repeatDepth", "", 0...2, \.repeatDepth),
        key("maxRepeatCount", "", 1...1_048_575, \.maxRepeatCount),
        key("maxRepeatDistance", "cycles", 1...1_048_575, \.maxRepeatDistance),
        key("maxWait", "cycles", 1...1_048_575, \.maxWait),
    ]
}

extension MachineKey {
    /// The value of `chip` as it is written.
    func text(of chip: Chip) -> String {
        func joined(_ list: [Int]) -> String { list.map(String.init).joined(separator: ",") }
        return switch value {
        case .integer(let path, _): String(chip[keyPath: path])
        case .list(let path): joined(chip[keyPath: path])
        case .lists(let path): chip[keyPath: path].map(joined).joined(separator: " ")
        case .interval(let path): chip[keyPath: path].description
        }
    }

    /// Reads the value from the words after the key into `chip`.
    func read(from scanner: inout LineScanner, into chip: inout Chip) throws(DiagnosticSet) {
        switch value {
        case .integer(let path, let range):
            chip[keyPath: path] = try scanner.integer(name, in: range, id: machineValue)
        case .list(let path):
            chip[keyPath: path] = try scanner.list(name)
        case .lists(let path):
            var lists: [[Int]] = []
            repeat { lists.append(try scanner.list(name)) } while scanner.isBeforeDigit
            chip[keyPath: path] = lists
        case .interval(let path):
            chip[keyPath: path] = try scanner.interval(name)
        }
    }
}

/// Ids of the machine file's diagnostics.
let machineSyntax = "machine-syntax"
let machineValue = "machine-value"

extension LineScanner {
    var isBeforeDigit: Bool { nextByte.map { $0 &- UInt8(ascii: "0") < 10 } ?? false }

    /// `0,2,5`: at most 64 numbers, none above 255.
    mutating func list(_ what: String) throws(DiagnosticSet) -> [Int] {
        try beginWord(what, id: machineSyntax)
        var list: [Int] = []
        repeat {
            list.append(try number(what, in: 0...255, id: machineValue))
        } while list.count < 64 && takeByte(UInt8(ascii: ","))
        try endWord(id: machineSyntax)
        return list
    }

    /// `246/25` or `27`, each part at most a million.
    mutating func interval(_ what: String) throws(DiagnosticSet) -> Rational {
        try beginWord(what, id: machineSyntax)
        let a = try number(what, in: 1...1_000_000, id: machineValue)
        let isFraction = takeByte(UInt8(ascii: "/"))
        let b = isFraction ? try number(what, in: 1...1_000_000, id: machineValue) : 1
        try endWord(id: machineSyntax)
        return Rational(a, b)
    }
}

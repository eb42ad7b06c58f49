import LPUMachine
import LPUNumerics

/// Units that share a row of the timing chart.
enum TimingRow: Int, CaseIterable {
    case loadWest, loadEast, multiplyWest, multiplyEast, vector, exchangeWest, exchangeEast
    case readWest, readEast, writeWest, writeEast, send, receive, host

    var title: String {
        switch self {
        case .loadWest: "MXM west, weights in"
        case .loadEast: "MXM east, weights in"
        case .multiplyWest: "MXM west, multiply"
        case .multiplyEast: "MXM east, multiply"
        case .vector: "VXM"
        case .exchangeWest: "SXM west"
        case .exchangeEast: "SXM east"
        case .readWest: "MEM west, read"
        case .readEast: "MEM east, read"
        case .writeWest: "MEM west, write"
        case .writeEast: "MEM east, write"
        case .send: "C2C send"
        case .receive: "C2C receive"
        case .host: "host port"
        }
    }

    var unitClass: UnitClass {
        switch self {
        case .loadWest, .loadEast, .multiplyWest, .multiplyEast: .matrix
        case .vector: .vector
        case .exchangeWest, .exchangeEast: .exchange
        case .readWest, .readEast, .writeWest, .writeEast: .memory
        case .send, .receive, .host: .link
        }
    }

    /// How many units the row has, and what they are.
    func units(of chip: Chip) -> (count: Int, name: String) {
        switch self {
        case .loadWest, .loadEast, .multiplyWest, .multiplyEast:
            (chip.planesPerHemisphere, "planes")
        case .vector: (chip.aluCount, "ALUs")
        case .exchangeWest, .exchangeEast:
            (chip.distributors + chip.transposers + chip.permutors + chip.shifters, "movers")
        case .readWest, .readEast, .writeWest, .writeEast: (chip.memSlicesPerHemisphere, "slices")
        case .send, .receive: (chip.linkCount, "links")
        case .host: (1, "port")
        }
    }
}

/// What one issue keeps busy: so many units of a row for so many cycles.
struct Occupation {
    var row: TimingRow
    var units = 1
    var cycles = 1
}

extension Occupation {
    /// A tandem instruction of fp16 keeps both planes of its side busy; sums leave their plane
    /// without keeping a unit of the chart busy.
    static func of(_ instruction: Instruction, on unit: Unit, chip: Chip) -> [Occupation] {
        switch unit {
        case .memory(let side, _): memory(instruction, side)
        case .alu: [Occupation(row: .vector)]
        case .loadWeights(let side, _):
            [Occupation(row: side == .west ? .loadWest : .loadEast, units: planes(instruction))]
        case .matmul(let side, _):
            [
                Occupation(
                    row: side == .west ? .multiplyWest : .multiplyEast, units: planes(instruction),
                    cycles: cadence(instruction, chip))
            ]
        case .accumulate: []
        case .distributor(let side, _), .transposer(let side, _), .permutor(let side, _),
            .shifter(let side, _):
            [Occupation(row: side == .west ? .exchangeWest : .exchangeEast)]
        case .link:
            if case .send = instruction {
                [Occupation(row: .send)]
            } else {
                [Occupation(row: .receive)]
            }
        case .host: [Occupation(row: .host)]
        }
    }

    private static func memory(_ instruction: Instruction, _ side: Hemisphere) -> [Occupation] {
        guard case .memory(let read, let write) = instruction else { return [] }
        var result: [Occupation] = []
        if read != .none { result.append(Occupation(row: side == .west ? .readWest : .readEast)) }
        if write != .none {
            result.append(Occupation(row: side == .west ? .writeWest : .writeEast))
        }
        return result
    }

    private static func planes(_ instruction: Instruction) -> Int {
        switch instruction {
        case .loadWeights(_, let tandem), .install(let tandem): tandem ? 2 : 1
        case .matmul(_, let type): type == .fp16 ? 2 : 1
        case .memory, .accumulate, .alu, .distribute, .transpose, .permute, .shift, .rotate,
            .select, .send, .receive, .ingress, .egress:
            1
        }
    }

    private static func cadence(_ instruction: Instruction, _ chip: Chip) -> Int {
        guard case .matmul(_, let type) = instruction else { return 1 }
        return type == .fp16 ? chip.tandemCadence : chip.matmulCadence
    }
}

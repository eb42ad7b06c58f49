import LPUDataflow
import LPUMachine

/// The five kinds of unit, each with one colour in every picture.
enum UnitClass: Int, CaseIterable {
    case memory, matrix, vector, exchange, link

    var name: String {
        switch self {
        case .memory: "MEM"
        case .matrix: "MXM"
        case .vector: "VXM"
        case .exchange: "SXM"
        case .link: "C2C"
        }
    }

    var meaning: String {
        switch self {
        case .memory: "SRAM slices"
        case .matrix: "matrix planes"
        case .vector: "vector ALUs"
        case .exchange: "lane movers"
        case .link: "links, host port"
        }
    }

    var colour: Colour {
        switch self {
        case .memory: .blue
        case .matrix: .orange
        case .vector: .green
        case .exchange: .violet
        case .link: .yellow
        }
    }

    /// Of the unit that does the work of an op; `nil` where no instruction is needed.
    init?(_ kind: OpKind) {
        switch kind {
        case .matmul: self = .matrix
        case .elementwise: self = .vector
        case .distribute, .permute, .shift, .rotate, .select, .transpose: self = .exchange
        case .gather, .scatter: self = .memory
        case .transfer, .ingress, .egress: self = .link
        case .pack, .byte: return nil
        }
    }
}

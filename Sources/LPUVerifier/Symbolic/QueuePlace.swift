import LPUMachine
import LPUSupport

/// Where a queue's unit samples and emits, and which one of its kind it is.
struct QueuePlace {
    var unit: Unit
    var register: Int
    /// First row of a slice, number of an ALU, a plane or a link.
    var index: Int
    var hemisphere: Hemisphere
}

extension Chip {
    /// Where each queue's unit samples and emits, in queue order.
    var queuePlaces: [QueuePlace] {
        units.map { unit in
            func place(_ h: Hemisphere, _ register: Int, _ index: Int = 0) -> QueuePlace {
                QueuePlace(
                    unit: unit, register: h.sign * register, index: index, hemisphere: h)
            }
            return switch unit {
            case .memory(let h, let slice):
                place(
                    h, slice / memSlicesPerGroup + 1,
                    rowIndex(h, slice: slice, RowAddress(bank: 0, row: 0)))
            case .alu(let a): place(.east, 0, a)
            case .loadWeights(let h, let p), .matmul(let h, let p), .accumulate(let h, let p):
                place(h, edge, Int(h.rawValue) * planesPerHemisphere + p)
            case .distributor(let h, _), .transposer(let h, _), .permutor(let h, _),
                .shifter(let h, _):
                place(h, edge)
            case .link(let link): place(hemisphere(of: link), edge, link.index)
            case .host: place(hostHemisphere, edge)
            }
        }
    }
}

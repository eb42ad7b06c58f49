import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUPlanning
import LPUSupport

/// A lowering under way: the template that grows, for a chip and a plan.
protocol Lowering {
    var plan: Plan { get }
    var chip: Chip { get }
    var builder: TemplateBuilder { get set }
    /// Chains so far.
    var chains: Int { get set }
}

extension Lowering {
    var lanes: Int { chip.lanes }

    /// Runs `body` with a chain of its own: its results pass on streams.
    mutating func chained<Result>(_ body: (inout Self) -> Result) -> Result {
        chains += 1
        builder.chain = chains
        defer { builder.chain = nil }
        return body(&self)
    }

    /// 1 / value in every lane, of what is not negative: the square of its inverse root.
    mutating func reciprocal(_ value: ValueID, name: String? = nil) -> ValueID {
        let root = builder.elementwise(.rsqrt, Use(value))
        return builder.elementwise(.multiply, Use(root), Use(root), name: name)
    }

    /// An image vector with the same word in every lane.
    mutating func constant(
        _ name: String, _ bits: UInt32, type: ElementType, lanes range: Range<Int>? = nil,
        on place: Int
    ) -> ValueID {
        builder.image(
            name, chip: place, type: type, count: 1,
            .constant(bits: bits, vectors: 0..<1, lanes: range ?? 0..<lanes))
    }
}

extension Array {
    /// Neighbours combined in pairs, these in pairs, and so on, until one is left.
    /// - Requires: it is not empty.
    func reducedInPairs(_ combine: (Element, Element) -> Element) -> Element {
        var level = self
        while level.count > 1 {
            level = stride(from: 0, to: level.count, by: 2).map {
                $0 + 1 < level.count ? combine(level[$0], level[$0 + 1]) : level[$0]
            }
        }
        return level[0]
    }
}

public import LPUSupport

/// A functional unit with an in-order queue; prints as `mem.e12`, `mxm.w0.load`, `link3`.
@frozen public enum Unit: Hashable, Sendable {
    case memory(Hemisphere, slice: Int)
    case alu(Int)
    case loadWeights(Hemisphere, plane: Int)
    /// `install` and `matmul` of a plane share a queue.
    case matmul(Hemisphere, plane: Int)
    case accumulate(Hemisphere, plane: Int)
    case distributor(Hemisphere, Int)
    case transposer(Hemisphere, Int)
    case permutor(Hemisphere, Int)
    case shifter(Hemisphere, Int)
    case link(LinkID)
    case host
}

extension Unit: CustomStringConvertible {
    public var description: String {
        switch self {
        case .memory(let h, let slice): "mem.\(h.letter)\(slice)"
        case .alu(let a): "alu\(a)"
        case .loadWeights(let h, let plane): "mxm.\(h.letter)\(plane).load"
        case .matmul(let h, let plane): "mxm.\(h.letter)\(plane).matmul"
        case .accumulate(let h, let plane): "mxm.\(h.letter)\(plane).sum"
        case .distributor(let h, let i): "sxm.\(h.letter).distribute\(i)"
        case .transposer(let h, let i): "sxm.\(h.letter).transpose\(i)"
        case .permutor(let h, let i): "sxm.\(h.letter).permute\(i)"
        case .shifter(let h, let i): "sxm.\(h.letter).shift\(i)"
        case .link(let link): link.description
        case .host: "host"
        }
    }
}

/// A queue of a chip, numbered in the order of `Chip.units`.
@frozen public struct QueueID: Hashable, Comparable, Sendable {
    public var raw: UInt16
    @inlinable public init(_ index: Int) { raw = UInt16(index) }
    @inlinable public var index: Int { Int(raw) }
    @inlinable public static func < (a: QueueID, b: QueueID) -> Bool { a.raw < b.raw }
}

extension Chip {
    /// Every unit of the chip in queue order: MEM west and east, ALUs, MXM, SXM, links, host port.
    /// - Complexity: O(queues); keep the result.
    public var units: [Unit] {
        var units: [Unit] = []
        for h in Hemisphere.allCases {
            units += (0..<memSlicesPerHemisphere).map { .memory(h, slice: $0) }
        }
        units += (0..<aluCount).map { .alu($0) }
        for h in Hemisphere.allCases {
            for p in 0..<planesPerHemisphere {
                units += [
                    .loadWeights(h, plane: p), .matmul(h, plane: p), .accumulate(h, plane: p),
                ]
            }
        }
        for h in Hemisphere.allCases {
            units += (0..<distributors).map { .distributor(h, $0) }
            units += (0..<transposers).map { .transposer(h, $0) }
            units += (0..<permutors).map { .permutor(h, $0) }
            units += (0..<shifters).map { .shifter(h, $0) }
        }
        units += (0..<linkCount).map { .link(LinkID($0)) }
        return units + [.host]
    }

    /// The queue of `unit`; O(1).
    /// - Requires: the chip has the unit.
    public func queue(of unit: Unit) -> QueueID {
        let memory = 2 * memSlicesPerHemisphere
        let mxm = memory + aluCount
        let sxm = mxm + 6 * planesPerHemisphere
        let perSide = distributors + transposers + permutors + shifters
        let links = sxm + 2 * perSide
        func plane(_ h: Hemisphere, _ p: Int) -> Int {
            mxm + 3 * (Int(h.rawValue) * planesPerHemisphere + p)
        }
        func side(_ h: Hemisphere) -> Int { sxm + Int(h.rawValue) * perSide }
        return switch unit {
        case .memory(let h, let slice):
            QueueID(Int(h.rawValue) * memSlicesPerHemisphere + slice)
        case .alu(let a): QueueID(memory + a)
        case .loadWeights(let h, let p): QueueID(plane(h, p))
        case .matmul(let h, let p): QueueID(plane(h, p) + 1)
        case .accumulate(let h, let p): QueueID(plane(h, p) + 2)
        case .distributor(let h, let i): QueueID(side(h) + i)
        case .transposer(let h, let i): QueueID(side(h) + distributors + i)
        case .permutor(let h, let i): QueueID(side(h) + distributors + transposers + i)
        case .shifter(let h, let i): QueueID(side(h) + distributors + transposers + permutors + i)
        case .link(let link): QueueID(links + link.index)
        case .host: QueueID(links + linkCount)
        }
    }

    public var queueCount: Int { queue(of: .host).index + 1 }
}

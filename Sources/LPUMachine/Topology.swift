public import LPUSupport

/// Chips on an all-to-all axis of the machine: link `firstLink + k` of the chip with coordinate x
/// goes to the chip with coordinate (x + k + 1) mod `size`, all other coordinates equal.
public struct Axis: Hashable, Sendable {
    public var name: String
    public var size: Int
    public var firstLink: LinkID
    /// Lanes a pair; they form one link that stripes each vector.
    public var lanes: Int
    /// From `send` issue to the earliest `receive` issue.
    public var latency: Int
    /// One vector a link a direction every so many cycles: any b+1 consecutive sends span at least
    /// a cycles, any two at least floor(a/b), for an interval a/b.
    public var interval: Rational

    public init(
        name: String, size: Int, firstLink: LinkID, lanes: Int, latency: Int, interval: Rational
    ) {
        self.name = name
        self.size = size
        self.firstLink = firstLink
        self.lanes = lanes
        self.latency = latency
        self.interval = interval
    }
}

/// One end of a wire.
public struct LinkEnd: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var chip: ChipID
    public var link: LinkID
    public init(_ chip: ChipID, _ link: LinkID) {
        self.chip = chip
        self.link = link
    }
    public static func < (a: LinkEnd, b: LinkEnd) -> Bool { (a.chip, a.link) < (b.chip, b.link) }
    public var description: String { "\(chip).\(link)" }
}

/// How the chips are wired: the product of all-to-all axes. A chip's number is its coordinates in
/// mixed radix, the first axis counting fastest.
public struct Topology: Hashable, Sendable {
    public var axes: [Axis]
    public init(axes: [Axis]) { self.axes = axes }

    public var chipCount: Int { axes.reduce(1) { $0 * $1.size } }

    /// The axis that `link` belongs to.
    public func axis(of link: LinkID) -> Axis? {
        axes.first { $0.firstLink <= link && link.index < $0.firstLink.index + $0.size - 1 }
    }

    /// Coordinates of a chip, axis by axis.
    public func coordinates(of chip: ChipID) -> [Int] {
        var rest = chip.index
        return axes.map { axis in
            defer { rest /= axis.size }
            return rest % axis.size
        }
    }

    /// The other end of the wire at `end`; nil where the link is unwired. O(axes).
    public func peer(of end: LinkEnd) -> LinkEnd? {
        var stride = 1
        for axis in axes {
            let k = end.link.index - axis.firstLink.index
            if k >= 0 && k < axis.size - 1 {
                let x = end.chip.index / stride % axis.size
                let y = (x + k + 1) % axis.size
                return LinkEnd(
                    ChipID(end.chip.index + (y - x) * stride),
                    LinkID(axis.firstLink.index + axis.size - 2 - k))
            }
            stride *= axis.size
        }
        return nil
    }

    /// The link of `a` that leads to `b`, if they differ in one coordinate only. O(axes).
    public func link(from a: ChipID, to b: ChipID) -> LinkID? {
        var found: LinkID?
        for (axis, (x, y)) in zip(axes, zip(coordinates(of: a), coordinates(of: b))) where x != y {
            if found != nil { return nil }
            found = LinkID(axis.firstLink.index + (y - x + axis.size) % axis.size - 1)
        }
        return found
    }

    /// Hops between two chips: the coordinates in which they differ.
    public func hops(from a: ChipID, to b: ChipID) -> Int {
        zip(coordinates(of: a), coordinates(of: b)).count { $0 != $1 }
    }
}

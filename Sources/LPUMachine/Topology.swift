public import LPUSupport

/// A coordinate of the chips, and the links that join chips which differ in it.
///
/// Chips that are equal in this coordinate and in all later ones are a *group*: its chips are
/// numbered by their earlier coordinates, the first counting fastest.
public struct Axis: Hashable, Sendable {
    /// Which chips the links join.
    public enum Wiring: Hashable, Sendable {
        /// All to all: link `firstLink + k` of the chip with coordinate x goes to the chip with
        /// coordinate (x + k + 1) mod `size`, all other coordinates equal.
        case allToAll
        /// A dragonfly: the groups are all to all, one link a pair. Link `firstLink + j` of chip
        /// number i is port p = i * `links` + j of its group, and port p of group g goes to group
        /// (g + p + 1) mod `size`; ports from `size` - 1 on are unwired.
        case dragonfly(links: Int)
        /// Groups in a line, each joined to the `reach` before and after it. Port p, counted as in
        /// a dragonfly, goes to the chip of the same number in the group that is 1, -1, 2, -2, ...
        /// `reach`, -`reach` further, in turn with p; beyond the ends of the line it is unwired.
        case line(links: Int, reach: Int)
    }

    public var name: String
    public var size: Int
    public var wiring: Wiring
    public var firstLink: LinkID
    /// Lanes a pair; they form one link that stripes each vector.
    public var lanes: Int
    /// From `send` issue to the earliest `receive` issue.
    public var latency: Int
    /// One vector a link a direction every so many cycles: any b+1 consecutive sends span at least
    /// a cycles, any two at least floor(a/b), for an interval a/b.
    public var interval: Rational

    public init(
        name: String, size: Int, wiring: Wiring = .allToAll, firstLink: LinkID, lanes: Int,
        latency: Int, interval: Rational
    ) {
        self.name = name
        self.size = size
        self.wiring = wiring
        self.firstLink = firstLink
        self.lanes = lanes
        self.latency = latency
        self.interval = interval
    }

    /// Links of each chip that belong to the axis, wired or not.
    public var linkCount: Int {
        switch wiring {
        case .allToAll: size - 1
        case .dragonfly(let links), .line(let links, _): links
        }
    }

    /// Numbers of the links of each chip that belong to the axis.
    public var links: Range<Int> { firstLink.index..<firstLink.index + linkCount }
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

/// How the chips are wired: axis by axis. A chip's number is its coordinates in mixed radix, the
/// first axis counting fastest.
public struct Topology: Hashable, Sendable {
    public var axes: [Axis]
    public init(axes: [Axis]) { self.axes = axes }

    public var chipCount: Int { axes.reduce(1) { $0 * $1.size } }

    /// The axis that `link` belongs to.
    public func axis(of link: LinkID) -> Axis? {
        axes.first { $0.links.contains(link.index) }
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
            if axis.links.contains(end.link.index) {
                return axis.peer(of: end, stride: stride)
            }
            stride *= axis.size
        }
        return nil
    }

    /// The link of `a` that leads to `b`, if one does. O(axes).
    public func link(from a: ChipID, to b: ChipID) -> LinkID? {
        // It is of the last axis in which they differ.
        var (stride, last) = (1, (axis: Axis?.none, stride: 1))
        for axis in axes {
            if a.index / stride % axis.size != b.index / stride % axis.size {
                last = (axis, stride)
            }
            stride *= axis.size
        }
        return last.axis?.link(from: a, to: b, stride: last.stride)
    }

    /// Hops that a vector takes from `a` to `b` at least; as many as it needs where all axes are
    /// all to all, or where it is one. O(axes).
    public func leastHops(from a: ChipID, to b: ChipID) -> Int {
        guard a != b else { return 0 }
        if link(from: a, to: b) != nil { return 1 }
        var (coordinates, groups) = (0, 0)
        for (axis, (x, y)) in zip(axes, zip(self.coordinates(of: a), self.coordinates(of: b)))
        where x != y {
            switch axis.wiring {
            case .allToAll: coordinates += 1
            // A link of groups may change earlier coordinates too.
            case .dragonfly: groups = max(groups, 2)
            case .line(_, let reach): groups = max(groups, 2, (abs(y - x) + reach - 1) / reach)
            }
        }
        return groups == 0 ? coordinates : groups
    }

    /// The links of a shortest way from `a` to `b`, each with the chip that sends; of equal ones
    /// that over the lowest links, the first hop deciding; nil where no way leads there.
    /// - Complexity: O(chips nearer than b x links).
    public func route(from a: ChipID, to b: ChipID) -> [LinkEnd]? {
        // Backwards from b: each chip then knows its next hop.
        var next: [LinkEnd?] = Array(repeating: nil, count: chipCount)
        var seen = Array(repeating: false, count: chipCount)
        seen[b.index] = true
        var front = [b]
        while !seen[a.index], !front.isEmpty {
            var reached: [ChipID] = []
            for chip in front {
                for link in axes.flatMap({ $0.links }) {
                    guard let peer = peer(of: LinkEnd(chip, LinkID(link))), !seen[peer.chip.index]
                    else { continue }
                    let known = next[peer.chip.index]
                    if known == nil { reached.append(peer.chip) }
                    next[peer.chip.index] = min(known ?? peer, peer)
                }
            }
            for chip in reached { seen[chip.index] = true }
            front = reached
        }
        guard seen[a.index] else { return nil }
        var ends: [LinkEnd] = []
        var chip = a
        while chip != b, let end = next[chip.index], let peer = peer(of: end) {
            ends.append(end)
            chip = peer.chip
        }
        return ends
    }
}

extension Axis {
    /// The other end of the wire at `end`, where a group has `stride` chips.
    fileprivate func peer(of end: LinkEnd, stride: Int) -> LinkEnd? {
        let j = end.link.index - firstLink.index
        let (x, i) = (end.chip.index / stride % size, end.chip.index % stride)
        /// The chip that is `y - x` groups further, with number `number`.
        func chip(_ y: Int, number: Int) -> ChipID {
            ChipID(end.chip.index + (y - x) * stride + number - i)
        }
        switch wiring {
        case .allToAll:
            return LinkEnd(
                chip((x + j + 1) % size, number: i), LinkID(firstLink.index + size - 2 - j))
        case .dragonfly(let links):
            let port = i * links + j
            guard port < size - 1 else { return nil }
            let far = size - 2 - port
            return LinkEnd(
                chip((x + port + 1) % size, number: far / links),
                LinkID(firstLink.index + far % links))
        case .line(let links, let reach):
            let turn = (i * links + j) % (2 * reach)
            let y = x + Self.distance(turn)
            guard (0..<size).contains(y) else { return nil }
            // The way back is the other one of the pair of links.
            return LinkEnd(chip(y, number: i), LinkID(firstLink.index + (j ^ 1)))
        }
    }

    /// 1, -1, 2, -2, ...
    private static func distance(_ turn: Int) -> Int { (turn / 2 + 1) * (turn % 2 == 0 ? 1 : -1) }

    /// The link of `a` to `b`, which differ in this coordinate and in no later one.
    fileprivate func link(from a: ChipID, to b: ChipID, stride: Int) -> LinkID? {
        let (x, y) = (a.index / stride % size, b.index / stride % size)
        let (i, k) = (a.index % stride, b.index % stride)
        switch wiring {
        case .allToAll:
            return i == k ? LinkID(firstLink.index + (y - x + size) % size - 1) : nil
        case .dragonfly(let links):
            let port = (y - x + size) % size - 1
            guard port / links == i, (size - 2 - port) / links == k else { return nil }
            return LinkID(firstLink.index + port % links)
        case .line(let links, let reach):
            guard i == k, abs(y - x) <= reach else { return nil }
            let turn = 2 * (abs(y - x) - 1) + (y < x ? 1 : 0)
            let j = (turn - i * links) % (2 * reach)
            let first = j < 0 ? j + 2 * reach : j
            return first < links ? LinkID(firstLink.index + first) : nil
        }
    }
}

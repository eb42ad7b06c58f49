import LPUMachine

/// What is on the streams of one chip.
///
/// A value that is produced at position p (registers counted along the flow) in cycle t lives on
/// the diagonal t - p until another producer overwrites it further on. So a diagonal holds the
/// short list of its producers, and a consumer takes the last one before it; nothing is moved.
/// Diagonals are kept in a ring as long as anyone may still sample or produce on them.
final class StreamRegisters {
    /// One production; `next` is the one before it on the diagonal.
    private struct Production {
        var diagonal: Int32 = .min
        var position: Int32 = 0
        var vector = Vector.none
        var next: Int32 = -1
    }

    private let pool: VectorPool
    /// Diagonals of the ring, a power of two.
    private let ring: Int
    private let streamsPerDirection: Int
    /// The last production of each diagonal of each stream.
    private let heads: UnsafeMutableBufferPointer<Production>
    /// Earlier productions of diagonals that have more than one.
    @exclusivity(unchecked) private var others: [Production] = []
    @exclusivity(unchecked) private var freeOthers: [Int32] = []

    /// - Parameter span: cycles between the oldest diagonal that is sampled and the newest one on
    ///   which something is produced.
    init(chip: Chip, span: Int, pool: VectorPool) {
        var ring = 1
        while ring < span { ring *= 2 }
        self.ring = ring
        self.pool = pool
        streamsPerDirection = chip.streamsPerDirection
        heads = .allocate(capacity: 2 * chip.streamsPerDirection * ring)
        heads.initialize(repeating: Production())
    }

    deinit { heads.deallocate() }

    @inline(__always) private func index(_ stream: Stream, _ diagonal: Int) -> Int {
        let line = Int(stream.direction.rawValue) * streamsPerDirection + stream.id
        return line * ring + diagonal & (ring - 1)
    }

    /// What a consumer at `register` sees in `cycle`; `.none` if the register holds nothing.
    ///
    /// The VXM sees what arrives only; the others see what is produced at their own register.
    @inline(__always)
    func sample(
        _ stream: Stream, at register: Int, in cycle: Int, arrivingOnly: Bool = false
    ) -> Vector {
        let position = stream.direction.sign * register
        let diagonal = cycle - position
        let last = Int32(arrivingOnly ? position - 1 : position)
        var production = heads[index(stream, diagonal)]
        guard production.diagonal == diagonal else { return .none }
        while production.position > last {
            guard production.next >= 0 else { return .none }
            production = others[Int(production.next)]
        }
        return production.vector
    }

    /// Puts a vector, of which it becomes a holder, on a stream; `false` if another producer meets
    /// it at `register` in `cycle`.
    func produce(_ vector: Vector, on stream: Stream, at register: Int, in cycle: Int) -> Bool {
        let position = Int32(stream.direction.sign * register)
        let diagonal = cycle - Int(position)
        let head = index(stream, diagonal)
        var new = Production(diagonal: Int32(diagonal), position: position, vector: vector)
        if heads[head].diagonal != diagonal {
            empty(head)
            heads[head] = new
            return true
        }
        if heads[head].position < position {
            new.next = keep(heads[head])
            heads[head] = new
            return true
        }
        guard heads[head].position > position else { return false }
        var before: Int32 = -1
        var next = heads[head].next
        while next >= 0 && others[Int(next)].position > position {
            (before, next) = (next, others[Int(next)].next)
        }
        if next >= 0 && others[Int(next)].position == position { return false }
        new.next = next
        let kept = keep(new)
        if before < 0 { heads[head].next = kept } else { others[Int(before)].next = kept }
        return true
    }

    private func keep(_ production: Production) -> Int32 {
        guard let slot = freeOthers.popLast() else {
            others.append(production)
            return Int32(others.count - 1)
        }
        others[Int(slot)] = production
        return slot
    }

    private func empty(_ head: Int) {
        guard heads[head].vector != .none else { return }
        pool.release(heads[head].vector)
        var next = heads[head].next
        while next >= 0 {
            pool.release(others[Int(next)].vector)
            freeOthers.append(next)
            next = others[Int(next)].next
        }
        heads[head] = Production()
    }
}

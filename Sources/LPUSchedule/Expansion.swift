public import LPUMachine
public import LPUSupport

// What a placed template means.

extension RowAddress {
    /// Where offsets of slots 1, 2, ... put it: slot 0, for good; nil where its slot is not given.
    /// A row beyond 32 bits is outside of every bank, and so is the one that stands for it.
    @inlinable public func resolved(
        in slots: some RandomAccessCollection<SlotOffset>
    ) -> RowAddress? {
        guard slot > 0 else { return self }
        guard Int(slot) <= slots.count else { return nil }
        let offset = slots[slots.index(slots.startIndex, offsetBy: Int(slot) - 1)]
        var address = self
        address.slot = 0
        if offset.flipsBank { address.bank ^= 1 }
        address.row = Int32(clamping: Int(row) + Int(offset.rows))
        return address
    }
}

extension Instruction {
    /// With its rows where offsets of slots 1, 2, ... put them; nil where a slot is not given.
    @inlinable public func resolved(
        in slots: some RandomAccessCollection<SlotOffset>
    ) -> Instruction? {
        guard case .memory(var read, var write) = self else { return self }
        switch read {
        case .none: break
        case .read(let row, let stream):
            guard let row = row.resolved(in: slots) else { return nil }
            read = .read(row, stream)
        case .gather(let window, let rows, let address, let stream):
            guard let window = window.resolved(in: slots) else { return nil }
            read = .gather(window: window, rows: rows, address: address, stream)
        }
        switch write {
        case .none: break
        case .write(let row, let stream):
            guard let row = row.resolved(in: slots) else { return nil }
            write = .write(row, stream)
        case .scatter(let window, let rows, let address, let stream):
            guard let window = window.resolved(in: slots) else { return nil }
            write = .scatter(window: window, rows: rows, address: address, stream)
        }
        return .memory(read, write)
    }
}

extension Allocation {
    /// Its rows among those of all slices of a chip.
    /// - Requires: its base has no slot.
    @inlinable public func rows(on chip: Chip) -> Range<Int> {
        let first = chip.rowIndex(hemisphere, slice: Int(slice), base)
        return first..<first + Int(rows)
    }

    /// The same where a placement puts it; as it stands where that does not give its slot.
    @inlinable public func rows(in placement: Placement, on chip: Chip) -> Range<Int> {
        var placed = self
        placed.base = placement.resolve(base) ?? base
        return placed.rows(on: chip)
    }
}

extension Schedule {
    /// Calls `body` with every placed program of `chip`, in the order of the placements.
    /// - Complexity: O(placements · their chips).
    @inlinable public func forEachProgram<E: Error>(
        on chip: ChipID, _ body: (Placement, ChipProgram) throws(E) -> Void
    ) throws(E) {
        for placement in placements {
            guard let place = placement.chips.firstIndex(of: chip) else { continue }
            try body(placement, templates[placement.template].chips[place])
        }
    }

    /// What the schedule may claim, counted anew; a digest only if it claims one.
    ///
    /// The length is from cycle 0 to one past the last issue of any burst.
    /// - Complexity: O(bursts of the templates + placements), and O(text) for a digest.
    public func recomputedClaims(on machine: Machine) -> Claims {
        let parts = templates.map { template in
            let bursts = template.chips.map(\.bursts).joined()
            return (
                end: bursts.reduce(0) { Swift.max($0, $1.lastIssue.index + 1) },
                bursts: bursts.count, issues: bursts.reduce(0) { $0 + $1.issueCount }
            )
        }
        var result = Claims(
            length: CycleCount(0), burstCount: 0, issueCount: 0,
            digest: claims.digest.map { _ in digest(on: machine) })
        for placement in placements {
            let part = parts[placement.template]
            guard part.bursts > 0 else { continue }
            let end = CycleCount(placement.start.index + part.end)
            result.length = Swift.max(result.length, end)
            result.burstCount += part.bursts
            result.issueCount += part.issues
        }
        return result
    }
}

extension ChipProgram {
    /// Single issues of all bursts, at most `Int.max`.
    public var issueCount: Int { bursts.lazy.map(\.issueCount).clampedSum() }

    /// Brings bursts and allocations into their order; equal ones keep theirs.
    /// - Complexity: O(n) if they are in order, else O(n log n).
    public mutating func sort() {
        func precedes(_ a: Burst, _ b: Burst) -> Bool {
            (a.queue, a.start) < (b.queue, b.start)
        }
        func precedes(_ a: Allocation, _ b: Allocation) -> Bool {
            let ka = (a.hemisphere, a.slice, a.base.bank, a.base.row, a.live.lowerBound)
            return ka < (b.hemisphere, b.slice, b.base.bank, b.base.row, b.live.lowerBound)
        }
        if zip(bursts, bursts.dropFirst()).contains(where: { precedes($1, $0) }) {
            bursts.sort(by: precedes)
        }
        if zip(allocations, allocations.dropFirst()).contains(where: { precedes($1, $0) }) {
            allocations.sort(by: precedes)
        }
    }
}

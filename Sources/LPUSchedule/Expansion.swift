public import LPUMachine
public import LPUSupport

// What a placed template means: its bursts and rows with absolute cycles, rows, ops and values.

extension Placement {
    /// `address` of the template where this placement puts it: slot 0, for good.
    /// - Requires: the placement has the slot.
    @inlinable public func resolved(_ address: RowAddress) -> RowAddress {
        guard address.slot > 0 else { return address }
        let place = resolve(address)
        return RowAddress(bank: place.bank, row: place.row)
    }

    /// `instruction` of the template with its rows where this placement puts them.
    @inlinable public func resolved(_ instruction: Instruction) -> Instruction {
        guard case .memory(let read, let write) = instruction, !slots.isEmpty else {
            return instruction
        }
        return .memory(resolved(read), resolved(write))
    }

    @inlinable func resolved(_ read: MemoryRead) -> MemoryRead {
        switch read {
        case .none: .none
        case .read(let row, let stream): .read(resolved(row), stream)
        case .gather(let window, let rows, let address, let stream):
            .gather(window: resolved(window), rows: rows, address: address, stream)
        }
    }

    @inlinable func resolved(_ write: MemoryWrite) -> MemoryWrite {
        switch write {
        case .none: .none
        case .write(let row, let stream): .write(resolved(row), stream)
        case .scatter(let window, let rows, let address, let stream):
            .scatter(window: resolved(window), rows: rows, address: address, stream)
        }
    }

    /// `burst` of the template in the schedule's time, rows and op numbers.
    @inlinable public func resolved(_ burst: Burst) -> Burst {
        Burst(
            start: Cycle(start.index + burst.start.index), queue: burst.queue,
            resolved(burst.instruction), inner: burst.inner, outer: burst.outer,
            op: burst.op.map { OpID($0.index + opBase) })
    }

    /// `allocation` of the template in the schedule's time, rows and value numbers. Rows of the
    /// image are there before cycle 0, wherever the placement starts.
    @inlinable public func resolved(_ allocation: Allocation) -> Allocation {
        var result = allocation
        result.value = ValueID(allocation.value.index + valueBase)
        result.base = resolved(allocation.base)
        let live = allocation.live
        let from = allocation.isImage ? 0 : start.index + live.lowerBound.index
        result.live = Cycle(from)..<Cycle(Swift.max(from, start.index + live.upperBound.index))
        return result
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

    /// Calls `body` with every burst of `chip` in the schedule's time and rows: placement by
    /// placement, and in a placement by queue and start. Allocates nothing.
    @inlinable public func forEachBurst<E: Error>(
        on chip: ChipID, _ body: (Burst) throws(E) -> Void
    ) throws(E) {
        try forEachProgram(on: chip) { (placement, program) throws(E) in
            for burst in program.bursts { try body(placement.resolved(burst)) }
        }
    }

    /// Calls `body` with every allocation of `chip` in the schedule's time and rows.
    @inlinable public func forEachAllocation<E: Error>(
        on chip: ChipID, _ body: (Allocation) throws(E) -> Void
    ) throws(E) {
        try forEachProgram(on: chip) { (placement, program) throws(E) in
            for allocation in program.allocations { try body(placement.resolved(allocation)) }
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

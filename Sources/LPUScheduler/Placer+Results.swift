import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

/// A result on its way: it appears at `register` in `cycle` and flows on.
struct Emission {
    var register: Int
    var cycle: Int
    var byteCount: Int
    /// The register up to which its streams are occupied; nil while none is chosen.
    var reach: Int?
    var stream: Stream?
    var direction: Direction
}

extension Placer {
    /// `true` iff an op outside the bundle `b` takes the value, another instance or a tile does, or
    /// nobody.
    func rests(_ value: ValueID, in b: Int) -> Bool {
        isTaken[value.index] || consumers[value.index].isEmpty
            || madeSources[value.index] != nil
            || consumers[value.index].contains { bundleOf[$0.op].bundle != b }
    }

    /// Makes the emission flow on up to `register`, on one of the groups if no stream is chosen.
    func extend(
        _ emission: inout Emission, to register: Int, groups: [Int], on table: Reservations
    ) -> Bool {
        let sign = emission.direction.sign
        if let stream = emission.stream, let reach = emission.reach {
            guard groups.contains(stream.id / chip.streamsPerGroup) else { return false }
            guard (register - reach) * sign > 0 else { return true }
            let next = reach + sign
            let cycle = emission.cycle + (next - emission.register) * sign
            for k in 0..<emission.byteCount
            where !table.isFree(stream.advanced(by: k), from: next, at: cycle, to: register) {
                return false
            }
            occupy(stream, emission.byteCount, from: next, at: cycle, to: register, table)
            emission.reach = register
            return true
        }
        let candidates = bases(emission.direction, groups: groups, byteCount: emission.byteCount)
        for base in choice.order(candidates) {
            let isFree = (0..<emission.byteCount).allSatisfy {
                table.isFree(
                    base.advanced(by: $0), from: emission.register, at: emission.cycle,
                    to: register)
            }
            guard isFree else { continue }
            occupy(
                base, emission.byteCount, from: emission.register, at: emission.cycle,
                to: register, table)
            emission.stream = base
            emission.reach = register
            return true
        }
        return false
    }

    private func occupy(
        _ base: Stream, _ count: Int, from first: Int, at cycle: Int, to last: Int,
        _ table: Reservations
    ) {
        for k in 0..<count {
            table.occupy(base.advanced(by: k), from: first, at: cycle, to: last)
        }
    }

    /// Writes an emission into scratch rows on its way and notes the copy; the first one goes where
    /// the vector is expected, if it is.
    func write(
        _ emission: inout Emission, as value: ValueID, _ vector: Int, groups: [Int], op: Int,
        isFirst: Bool = true
    ) -> Bool {
        let place = template.values[value.index].chip
        let table = tables[place]
        // Slices downstream of where it appears.
        let sides = sides(downstreamOf: emission.register, emission.direction)
        let fixed = isFirst ? pins[vectorBase[value.index] + vector] : nil
        let homes =
            fixed.map { [$0.map(\.slice)] }
            ?? homes(of: value, vector, planes: emission.byteCount, sides: sides)
        for home in homes {
            let registers = home.map { register(of: $0) }
            guard
                let last = registers.max(by: {
                    $0 * emission.direction.sign < $1 * emission.direction.sign
                }),
                registers.allSatisfy({
                    ($0 - emission.register) * emission.direction.sign >= 0
                })
            else { continue }
            let banks = fixed.map { [Int($0[0].bank)] } ?? banks(for: value, in: home[0])
            for bank in banks {
                let cycles = registers.map {
                    emission.cycle + ($0 - emission.register) * emission.direction.sign
                }
                let exchange = fixed == nil ? -1 : exchangeOf[value.index] ?? -1
                let isFree = home.indices.allSatisfy {
                    table.canWrite(
                        home[$0], or: otherHalf(home[$0], of: exchange), bank: bank, at: cycles[$0])
                        && (fixed != nil || hasRow(for: value, in: home[$0], bank: bank))
                }
                guard isFree else { continue }
                var extended = emission
                guard extend(&extended, to: last, groups: groups, on: table) else { break }
                emission = extended
                let rows =
                    fixed ?? home.map { takeRow(for: value, in: $0, bank: bank) }
                for (k, row) in rows.enumerated() {
                    table.issue(
                        .memory(.none, .write(row.address, emission.stream!.advanced(by: k))),
                        on: row.slice, or: otherHalf(row.slice, of: exchange), at: cycles[k],
                        op: OpID(op), exchange: exchange)
                }
                let slot = vectorBase[value.index] + vector
                copies[slot].append(Copy(planes: rows, ready: cycles.max()! + chip.writeToRead))
                scratchLog.append((rows, slot, fixed != nil))
                return true
            }
        }
        return false
    }

    private func ends(_ value: ValueID) -> Bool {
        lendsRows && !isTaken[value.index]
    }

    /// The banks in the order in which a result is to be written to one: where rows are shared, the
    /// emptiest first.
    func banks(for value: ValueID, in slice: QueueID) -> [Int] {
        let banks = choice.order(Array(0..<chip.banksPerSlice))
        guard sharesRows else { return banks }
        let sram = srams[mapOf[template.values[value.index].chip]]
        let free = banks.map { sram.freeRows(slice, bank: $0, isPassing: ends(value)) }
        return banks.indices.sorted { (free[$1], $0) < (free[$0], $1) }.map { banks[$0] }
    }

    /// `true` iff the bank has a row for what an op makes.
    func hasRow(for value: ValueID, in slice: QueueID, bank: Int) -> Bool {
        srams[mapOf[template.values[value.index].chip]].freeRows(
            slice, bank: bank, isPassing: ends(value)) > 0
    }

    func takeRow(for value: ValueID, in slice: QueueID, bank: Int) -> Location {
        let place = template.values[value.index].chip
        return ends(value)
            ? srams[mapOf[place]].takePassingRow(slice, bank: bank)
            : srams[mapOf[place]].takeRow(slice, bank: bank, slot: 0)
    }

    /// Sides that have a slice which a value that appears at `register` still passes.
    func sides(downstreamOf register: Int, _ direction: Direction) -> [Hemisphere] {
        Hemisphere.allCases.filter { side in
            [side.sign, side.sign * (chip.edge - 1)].contains {
                ($0 - register) * direction.sign >= 0
            }
        }
    }
}

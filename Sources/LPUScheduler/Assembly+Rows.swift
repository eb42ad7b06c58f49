import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// Which rows of each chip's SRAM a template may take, and where those go that move with it.
extension Assembly {
    /// An eighth of a bank, or a few times what all results and vectors of images are if they are
    /// spread evenly.
    static func scratchRows(_ program: Program, _ chip: Chip, _ room: Room) -> Int {
        let banks = 2 * chip.scratchSlices * chip.banksPerSlice
        let results = program.templates.map { $0.resultRows / max(1, $0.chipCount) }
        let images = program.templates.indices.reduce(0) { sum, t in
            let instances = program.instances.filter { $0.template == t }
            let uses = Dictionary(grouping: instances.flatMap(\.chips), by: \.self).values
            let most = uses.map(\.count).max() ?? 0
            let template = program.templates[t]
            return sum + most * template.imageRows / max(1, template.chipCount)
        }
        let rows = images + (room.isShared ? results.max() ?? 0 : results.reduce(0, +))
        return max(chip.rowsPerBank / 8, room.reserve * rows / max(1, banks))
    }

    /// `true` iff images have rows of each placement's own: some chip runs the template more than
    /// once, or places share rows of which a chip needs those of one.
    func movesImages(_ template: Int, _ mapOf: [Int]) -> Bool {
        if mapOf.indices.contains(where: { mapOf[$0] != $0 }) { return true }
        var seen = Set<ChipID>()
        for instance in program.instances where instance.template == template {
            for chip in instance.chips where !seen.insert(chip).inserted { return true }
        }
        return false
    }

    /// Of each timed place the first one that shares its rows: that some chip has as well, since it
    /// ends one stage's work and begins the next one's by the same template; or that takes the same
    /// image, which has one place on all chips.
    func mapOf(_ template: Int, _ bindings: [Binding?]) -> [Int] {
        let size = size(template)
        var result = Array(0..<program.templates[template].chipCount / size)
        var byChip: [ChipID: Int] = [:]
        for instance in program.instances where instance.template == template {
            for (q, chip) in instance.chips.enumerated() {
                let first = min(byChip[chip] ?? q / size, q / size)
                byChip[chip] = first
                result[q / size] = min(result[q / size], first)
            }
        }
        var byImage: [Image: Int] = [:]
        for (value, binding) in zip(timed(template).values, bindings) {
            guard let image = binding.flatMap(image) else { continue }
            let first = min(byImage[image] ?? value.chip, value.chip)
            byImage[image] = first
            result[value.chip] = min(result[value.chip], first)
        }
        return result
    }

    /// An image of a template, of whichever instance.
    private struct Image: Hashable {
        var template: Int
        var value: ValueID
    }

    private func image(_ binding: Binding) -> Image? {
        guard binding.isImage else { return nil }
        return Image(
            template: program.instances[binding.instance].template, value: binding.value)
    }

    /// Templates of which a template takes images that have not got all of their rows yet: it may
    /// give them some, on all chips that have them.
    func owners(of bindings: [Binding?]) -> Set<Int> {
        let images = Set(bindings.compactMap { $0.flatMap(image) })
        return Set(
            images.filter { image in
                guard let owner = placers[image.template] else { return true }
                let first = owner.vectorBase[image.value.index]
                let count = owner.template.values[image.value.index].count
                let sides = Set(owner.tilePlaces[image.value.index].map(\.hemisphere))
                return sides.count < Hemisphere.allCases.count
                    && owner.blockPlaces[image.value.index] == nil
                    && owner.copies[first..<first + count].contains(where: \.isEmpty)
            }.map(\.template))
    }

    /// Rows that some template has taken on any chip that the timed places of a map stand for.
    func rows(
        taken template: Int, by map: Int, _ mapOf: [Int], owners: Set<Int>
    ) -> SRAM {
        let size = size(template)
        var result = SRAM(chip: machine.chip, places: mapOf.count { $0 == map })
        for instance in program.instances where instance.template == template {
            for (q, chip) in instance.chips.enumerated() where mapOf[q / size] == map {
                if let taken = srams[chip.index] { result.formUnion(taken) }
            }
        }
        // Images of another template may get their rows here, on all chips that have them.
        for instance in program.instances where owners.contains(instance.template) {
            for chip in instance.chips {
                if let taken = srams[chip.index] { result.take(taken, withTables: true) }
            }
        }
        return result
    }

    /// Rows of each placement's own, in each bank one placement after another.
    func slotOffsets() throws(Infeasibility) -> [[SlotOffset]] {
        var result: [[SlotOffset]] = []
        var rows = srams
        for instance in program.instances {
            result.append([])
            guard let placer = placers[instance.template], placer.movesImages else { continue }
            if let residents {
                result[result.count - 1] = residents.slots(of: instance, in: program)
                continue
            }
            for slot in placer.ownSlots {
                let offset = try offset(ofSlot: slot, of: instance, behind: rows)
                result[result.count - 1].append(offset)
                forEachChip(of: instance, withSlot: slot) { chip, sram in
                    rows[chip.index]?.settle(sram, slot: slot, at: offset)
                }
            }
        }
        return result
    }

    private func offset(
        ofSlot slot: Int, of instance: Instance, behind rows: [SRAM?]
    ) throws(Infeasibility) -> SlotOffset {
        var (first, base, count, last) = (0, 0, 0, 0)
        forEachChip(of: instance, withSlot: slot) { chip, sram in
            first = max(first, srams[chip.index]?.base(ofSlot: slot, of: sram) ?? 0)
            base = max(base, rows[chip.index]?.base(ofSlot: slot, of: sram) ?? 0)
            count = max(count, sram.rows(ofSlot: slot))
            last = max(last, srams[chip.index]?.lastRows(ofSlot: slot, of: sram) ?? 0)
        }
        guard base + count <= machine.chip.rowsPerBank - last else {
            throw Infeasibility(
                at: "\(instance.chips[0])", id: "sram-capacity", unit: "rows of a bank",
                demand: base + count, capacity: machine.chip.rowsPerBank - last,
                terms: [
                    .init("constants, tables and scratch", first),
                    .init("layers", base + count - first),
                ],
                remedies: ["more chips", "a smaller context"])
        }
        return SlotOffset(rows: base)
    }

    /// Calls `body` with every chip of an instance whose place has the slot, and that place's rows.
    func forEachChip(
        of instance: Instance, withSlot slot: Int, _ body: (ChipID, SRAM) -> Void
    ) {
        guard let placer = placers[instance.template] else { return }
        let size = size(instance.template)
        for (q, chip) in instance.chips.enumerated()
        where placer.slots(of: q / size).contains(slot) {
            body(chip, placer.srams[placer.mapOf[q / size]])
        }
    }
}

extension ProgramTemplate {
    /// Rows of all results that rest: those that no chain alone takes.
    fileprivate var resultRows: Int {
        var rests = values.map { _ in true }
        for op in ops where op.chain != nil { rests[op.result.index] = false }
        var isTaken = values.map { _ in false }
        for op in ops {
            for use in op.operands {
                isTaken[use.value.index] = true
                guard case .op(let maker) = values[use.value.index].origin else { continue }
                if op.chain == nil || ops[maker.index].chain != op.chain {
                    rests[use.value.index] = true
                }
            }
        }
        return ops.reduce(0) { sum, op in
            let (v, value) = (op.result.index, values[op.result.index])
            switch op.kind {
            case .matmul, .elementwise, .distribute, .permute, .shift, .rotate, .select, .transpose,
                .transfer, .ingress:
                return rests[v] || !isTaken[v] ? sum + value.count * value.type.byteCount : sum
            case .gather:
                // What no op takes goes into tiles, past all rows.
                return rests[v] && isTaken[v] ? sum + value.count * value.type.byteCount : sum
            case .scatter, .egress, .pack, .byte: return sum
            }
        }
    }

    /// Rows of all images whose vectors are operands.
    fileprivate var imageRows: Int {
        let taken = Set(ops.flatMap(\.operands).map(\.value))
        return values.indices.reduce(0) { sum, v in
            guard case .image = values[v].origin, taken.contains(ValueID(v)) else { return sum }
            return sum + values[v].count * values[v].type.byteCount
        }
    }
}

import LPUDataflow
import LPUSupport

/// Chips of a template that hold other parts of the tensors than an earlier one, laid out alike.
///
/// The n-th value of such a chip is the *twin* of the earlier chip's n-th value. An op whose
/// operands are those of its twin, renamed, makes the renamed result: it need not be run.
struct Twins {
    /// For each value its twin on the first chip that is alike, or itself.
    private(set) var values: [ValueID]
    /// For each chip what makes its elements of those of the first alike; nil where none is.
    private(set) var renamings: [Renaming?]
    /// For each value, whether it is an image that is the renamed image of its twin.
    private(set) var isRenamedImage: [Bool]

    init(_ template: ProgramTemplate, _ state: RefinementState) {
        values = template.values.indices.map { ValueID($0) }
        renamings = Array(repeating: nil, count: template.chipCount)
        isRenamedImage = Array(repeating: false, count: template.values.count)
        var ofChip: [[Int]] = Array(repeating: [], count: template.chipCount)
        for (v, value) in template.values.enumerated() { ofChip[value.chip].append(v) }
        var firsts: [Int] = []
        for chip in 0..<template.chipCount {
            for first in firsts where ofChip[chip].count == ofChip[first].count {
                match(ofChip[chip], with: ofChip[first], chip, template, state)
                if renamings[chip] != nil { break }
            }
            if renamings[chip] == nil { firsts.append(chip) }
        }
    }

    private mutating func match(
        _ others: [Int], with firsts: [Int], _ chip: Int, _ template: ProgramTemplate,
        _ state: RefinementState
    ) {
        var shifts: [Int32: [Int32]] = [:]
        var renamedImages: [Int] = []
        for (v, first) in zip(others, firsts) {
            let (value, twin) = (template.values[v], template.values[first])
            guard value.type == twin.type, value.count == twin.count else { return }
            guard case .image(let formula) = value.origin, case .image(let other) = twin.origin
            else { continue }
            guard let moved = Self.shifts(from: other, to: formula) else { continue }
            for (tensor, shift) in moved {
                let name = state.algebra.name(tensor)
                let known = shifts[name] ?? []
                guard zip(known, shift).allSatisfy(==) else { return }
                if known.count < shift.count { shifts[name] = Array(shift) }
            }
            renamedImages.append(v)
        }
        // What is alike is so with this first: none that was tried before has left a mark.
        for v in renamedImages { isRenamedImage[v] = true }
        for (v, first) in zip(others, firsts) { values[v] = ValueID(first) }
        renamings[chip] = state.renaming(shifts)
    }

    /// By how much the coordinates of which tensor differ, if nothing else does.
    private static func shifts(from a: Formula, to b: Formula) -> [(String, ArraySlice<Int32>)]? {
        switch (a, b) {
        case (.weights(let x, let p, let s), .weights(let y, let q, let t)) where p == q && s == t:
            return shift(from: x, to: y).map { shift in
                [(x.tensor, shift[...])] + (s.map { [($0, shift.suffix(1))] } ?? [])
            }
        case (.scales(let x, let p, let s), .scales(let y, let q, let t)) where p == q && s == t:
            // What was divided by is of the whole row.
            return shift(from: x, to: y).map { [(x.tensor, $0.prefix(1))] }
        case (.weights, _), (.scales, _), (.greatestScale, _), (.constant, _), (.diagonal, _),
            (.table, _),
            (.rotary, _), (.zero, _):
            return a == b ? [] : nil
        }
    }

    private static func shift(from a: Layout, to b: Layout) -> [Int32]? {
        guard a.tensor == b.tensor, a.pieces.count == b.pieces.count,
            let first = a.pieces.first, let other = b.pieces.first
        else { return nil }
        let shift = zip(first.base, other.base).map { $1 - $0 }
        for (var x, y) in zip(a.pieces, b.pieces) {
            guard x.base.count == shift.count else { return nil }
            x.base = zip(x.base, shift).map { $0 + $1 }
            guard x == y else { return nil }
        }
        return shift.map { Int32($0) }
    }
}

/// Ops that are done by renaming.
extension TemplateRun {
    /// `true` iff the op does on renamed operands what its twin does.
    func isRenamed(_ number: Int) -> Bool {
        let op = template.ops[number]
        let chip = template.values[op.result.index].chip
        guard twins.renamings[chip] != nil else { return false }
        switch op.kind {
        case .transfer, .ingress, .egress: return false
        case .matmul, .elementwise, .distribute, .permute, .shift, .rotate, .select, .transpose,
            .gather, .scatter, .pack, .byte:
            break
        }
        guard
            case .op(let twin) = template.values[twins.values[op.result.index].index].origin,
            contents[twins.values[op.result.index].index] != nil
        else { return false }
        let other = template.ops[twin.index]
        guard op.count == other.count, op.kind.renamed({ twins.values[$0.index] }) == other.kind,
            !makesNames(twin)
        else { return false }
        var areRenamed = true
        op.kind.forEachUse(count: op.count) { use, _ in
            areRenamed = areRenamed && isRenamed(use.value)
        }
        return areRenamed
    }

    /// `true` iff the value holds what its twin holds, renamed.
    private func isRenamed(_ value: ValueID) -> Bool {
        if isPending[value.index] { return true }
        let twin = twins.values[value.index]
        guard twin != value else { return false }
        switch (contents[value.index], contents[twin.index]) {
        case (.image(let image)?, .image(let other)?):
            return twins.isRenamedImage[value.index] || isSameTable(image, other)
        case (.vectors(let list)?, .vectors(let other)?):
            return list == other
                && algebra.lists[list].allSatisfy { vector in
                    numbers.vectors[vector].allSatisfy { $0.raw <= 0 || algebra.isFree($0.raw) }
                }
        case (
            .region(let region, let version, let view)?,
            .region(let other, let otherVersion, let otherView)?
        ):
            let views = (state.regions[region].views[view], state.regions[other].views[otherView])
            return version == otherVersion && views.0.starts == views.1.starts
                && isRenamed(region: region, other)
        case (.vectors?, _), (.image?, _), (.region?, _), (nil, _): return false
        }
    }

    /// Images of other templates that hold no element of a tensor, and the same.
    private func isSameTable(_ image: Int, _ other: Int) -> Bool {
        let (a, b) = (state.images[image], state.images[other])
        return a.formula.layout == nil && a.formula == b.formula && a.value.type == b.value.type
            && a.value.count == b.value.count
    }

    /// What is written into the one is what is written into the other, renamed.
    private func isRenamed(region: Int, _ other: Int) -> Bool {
        if let known = renamedRegions[region] { return known }
        let (writers, others) = (self.writers[region] ?? [], self.writers[other] ?? [])
        guard writers.count == others.count else { return false }
        let result = zip(writers, others).allSatisfy { writer, twin in
            let op = template.ops[writer]
            guard op.count == template.ops[twin].count,
                op.kind.renamed({ twins.values[$0.index] }) == template.ops[twin].kind,
                case .scatter(let image, _, let address, let data) = op.kind
            else { return false }
            let isFirst = template.values[image.value.index].origin == .image(.zero)
            return (!isFirst || twins.isRenamedImage[image.value.index])
                && isRenamed(address.value) && isRenamed(data.value)
        }
        renamedRegions[region] = result
        return result
    }

    /// What has a name in the graph is one number by that name, and would be another renamed.
    private func makesNames(_ op: OpID) -> Bool {
        if let known = naming[op.index] { return known }
        var result = false
        if case .vectors(let list)? = contents[template.ops[op.index].result.index] {
            result = algebra.lists[list].contains(where: numbers.hasName)
        }
        naming[op.index] = result
        return result
    }
}

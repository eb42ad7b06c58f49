import Foundation
public import LPUDataflow
public import LPUMachine
public import LPUModel
import LPUNumerics
public import LPUSchedule
public import LPUSupport

extension MemoryImage {
    /// The image of a program as a schedule places it: every row that an allocation marks as image,
    /// in every placement, filled from its value's formula. Rows side by side are one block.
    ///
    /// Throws `image-machine` where program, schedule and machine differ, `image-placement` and
    /// `image-rows` for rows outside of the machine or of the value, `image-value` where a row does
    /// not hold an image value of the program, `image-overlap` where a row is to hold two,
    /// `image-memory` where this computer has no room for them, and what `ImageBytes` throws.
    /// O(bytes + rows of tensors read), all bytes in memory.
    /// - Requires: `program.problems()` holds no error.
    public init(
        _ program: Program, _ schedule: Schedule, on machine: Machine, weights: any WeightSource
    ) throws(DiagnosticSet) {
        self.init()
        try add(program, schedule, on: machine, weights: weights)
    }

    /// Adds the rows of a program that shares the memory, but those that are there already.
    ///
    /// Throws as `init`, and `image-overlap` where some rows of a run are there and others are not.
    /// - Requires: as `init`; both programs have the same bytes in rows that both name, which
    ///   `Verifier` judges.
    public mutating func add(
        _ program: Program, _ schedule: Schedule, on machine: Machine, weights: any WeightSource
    ) throws(DiagnosticSet) {
        let all = try ImageRowsFinder.rows(program, schedule, on: machine)
        let rows = try rowsToAdd(all, lanes: program.lanes)
        let first = blocks.count
        var offsets: [Int] = []
        var end = bytes.count
        for (i, part) in rows.enumerated() {
            offsets.append(end)
            if i > 0, part.isSameBank(as: rows[i - 1]),
                part.row == rows[i - 1].row + rows[i - 1].rows
            {
                blocks[blocks.count - 1].rows += part.rows
            } else {
                blocks.append(
                    Block(
                        chip: part.chip, hemisphere: part.allocation.hemisphere,
                        slice: Int(part.allocation.slice), bank: part.bank, row: part.row,
                        rows: part.rows, offset: end))
            }
            end += part.rows * program.lanes
        }
        let (needed, there) = (UInt64(end), ProcessInfo.processInfo.physicalMemory)
        guard needed <= there else {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place("memory image"), id: "image-memory",
                    "the rows of all chips take \(needed >> 20) MiB, this computer has "
                        + "\(there >> 20): take a smaller model"))
        }
        bytes += repeatElement(0, count: end - bytes.count)
        try fill(rows, at: offsets, program, weights)
        if first > 0 { blocks.sort { $0.place < $1.place } }
    }

    /// Runs of rows of which the image has none yet.
    private func rowsToAdd(
        _ all: [ImageRows], lanes: Int
    ) throws(DiagnosticSet) -> [ImageRows] {
        guard !blocks.isEmpty else { return all }
        var result: [ImageRows] = []
        for part in all {
            let known = (0..<part.rows).count { row($0, of: part, lanes: lanes) != nil }
            if known == part.rows { continue }
            guard known == 0 else {
                throw DiagnosticSet(
                    Diagnostic(
                        at: Diagnostic.Place("i\(part.instance).\(part.value)"),
                        id: "image-overlap",
                        "\(known) of the \(part.rows) rows from row \(part.row) of bank "
                            + "\(part.bank) on are another program's: schedule both together"))
            }
            result.append(part)
        }
        return result
    }

    /// Value by value, so that only one value's bytes are held beside the image.
    private mutating func fill(
        _ rows: [ImageRows], at offsets: [Int], _ program: Program, _ weights: any WeightSource
    ) throws(DiagnosticSet) {
        var source = ImageBytes(program, weights: weights)
        let byValue = rows.indices.sorted {
            (rows[$0].allocation.value, $0) < (rows[$1].allocation.value, $1)
        }
        var current: ValueID?
        var value: [UInt8] = []
        for i in byValue {
            let part = rows[i]
            if current != part.allocation.value {
                value = try source.bytes(of: part.value, in: part.instance)
                current = part.allocation.value
            }
            let template = program.templates[program.instances[part.instance].template]
            let planes = template.values[part.value.index].type.byteCount
            for r in 0..<part.rows {
                let vector = part.allocation.vector(ofRow: r)
                let from = (vector * planes + part.plane) * program.lanes
                let to = offsets[i] + r * program.lanes
                for l in 0..<program.lanes { bytes[to + l] = value[from + l] }
            }
        }
    }
}

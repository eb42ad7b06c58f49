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
    /// not hold an image value of the program, `image-overlap` where a row is to hold two, and what
    /// `ImageBytes` throws. O(bytes + rows of tensors read), all bytes in memory.
    /// - Requires: `program.problems()` holds no error.
    public init(
        _ program: Program, _ schedule: Schedule, on machine: Machine, weights: any WeightSource
    ) throws(DiagnosticSet) {
        let rows = try ImageRowsFinder.rows(program, schedule, on: machine)
        self.init()
        var offsets: [Int] = []
        var end = 0
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
        bytes = Array(repeating: 0, count: end)
        try fill(rows, at: offsets, program, weights)
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

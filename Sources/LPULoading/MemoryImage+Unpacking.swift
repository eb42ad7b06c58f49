public import LPUDataflow
public import LPUMachine
import LPUModel
import LPUNumerics
public import LPUSchedule
public import LPUSupport

extension MemoryImage {
    /// The inverse of packing: the bit pattern of every element of a weight tensor, row-major, as
    /// it lies in the rows that the schedule names; nil where a byte of it lies nowhere.
    ///
    /// `unpack(q, ...) == q.elements(of: weights)` iff the whole tensor is in SRAM where the
    /// formulas say. Throws as packing does of the schedule, `image-rows` where the image lacks a
    /// row that the schedule names, `image-copies` where two copies of an element differ, and
    /// `weights-shape`.
    /// - Requires: `program.problems()` holds no error; the shape is of positive extents.
    /// O(bytes of the image).
    public func unpack(
        _ quantisation: Quantisation, shape: [Int], _ program: Program, _ schedule: Schedule,
        on machine: Machine
    ) throws(DiagnosticSet) -> [UInt32?] {
        var tensor = UnpackedTensor(quantisation, shape: shape)
        for part in try ImageRowsFinder.rows(program, schedule, on: machine) {
            let instance = program.instances[part.instance]
            let value = program.templates[instance.template].values[part.value.index]
            guard case .image(.weights(let layout, let factor, let scale)) = value.origin,
                instance.quantisation(layout.tensor, value.type, factor, scale) == quantisation
            else { continue }
            let place = Diagnostic.Place("i\(part.instance).\(part.value)")
            for piece in layout.pieces { try piece.check(tensor.matrix, at: place) }
            for r in 0..<part.rows {
                guard let row = self.row(r, of: part, lanes: program.lanes) else {
                    throw DiagnosticSet(
                        Diagnostic(
                            at: place, id: "image-rows",
                            "the image has no \(part.chip) slice \(part.allocation.slice) bank "
                                + "\(part.bank) row \(part.row + r): pack it for this schedule"))
                }
                try tensor.take(
                    row, plane: part.plane, vector: part.allocation.vector(ofRow: r), layout,
                    at: place)
            }
        }
        return tensor.elements
    }

    /// The bytes of a row. O(log blocks).
    func row(_ r: Int, of part: ImageRows, lanes: Int) -> ArraySlice<UInt8>? {
        let wanted = (
            part.chip, part.allocation.hemisphere, Int(part.allocation.slice), part.bank,
            part.row + r
        )
        // The last block that does not begin behind the row.
        var (low, high) = (-1, blocks.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            let b = blocks[middle]
            if b.place <= wanted {
                low = middle
            } else {
                high = middle
            }
        }
        guard low >= 0, case let block = blocks[low],
            (block.chip, block.hemisphere, block.slice, block.bank)
                == (wanted.0, wanted.1, wanted.2, wanted.3),
            wanted.4 - block.row < block.rows,
            case let start = block.offset + (wanted.4 - block.row) * lanes,
            bytes.indices.contains(start), bytes.count - start >= lanes
        else { return nil }
        return bytes[start..<start + lanes]
    }
}

extension MemoryImage.Block {
    /// What blocks are sorted by.
    var place: (ChipID, Hemisphere, Int, Int, Int) { (chip, hemisphere, slice, bank, row) }
}

/// Bytes of a tensor's elements as rows come in.
private struct UnpackedTensor {
    let matrix: WeightTensor
    private let planes: Int
    private var words: [UInt32]
    /// Bit p: byte plane p of the element was found.
    private var found: [UInt8]

    init(_ quantisation: Quantisation, shape: [Int]) {
        matrix = WeightTensor(quantisation.tensor, shape: shape)
        planes = quantisation.type.byteCount
        words = Array(repeating: 0, count: matrix.parameterCount)
        found = Array(repeating: 0, count: matrix.parameterCount)
    }

    var elements: [UInt32?] {
        let all = UInt8(1 << planes - 1)
        return zip(words, found).map { $1 == all ? $0 : nil }
    }

    /// Notes one byte plane of the elements in a vector. - Requires: the layout was checked.
    mutating func take(
        _ row: ArraySlice<UInt8>, plane: Int, vector: Int, _ layout: Layout,
        at place: Diagnostic.Place
    ) throws(DiagnosticSet) {
        for piece in layout.pieces where piece.vectors.contains(vector) {
            for lane in piece.lanes {
                let coordinates = piece.element(vector: vector, lane: lane)
                let i = zip(coordinates, matrix.shape).reduce(0) { $0 * $1.1 + $1.0 }
                let byte = row[row.startIndex + lane]
                let old = UInt8(truncatingIfNeeded: words[i] >> UInt32(8 * plane))
                let isKnown = found[i] & 1 << UInt8(plane) != 0
                guard !isKnown || old == byte else {
                    throw DiagnosticSet(
                        Diagnostic(
                            at: place, id: "image-copies",
                            "byte \(plane) of element \(coordinates) of '\(matrix.name)' is \(byte)"
                                + " here, \(old) elsewhere: pack the image anew"))
                }
                words[i] |= UInt32(byte) << UInt32(8 * plane)
                found[i] |= 1 << UInt8(plane)
            }
        }
    }
}

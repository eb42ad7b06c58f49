import LPUModel
import LPUSupport

/// A quantised tensor, each row of which is read when it is first asked for.
struct QuantisedTensor {
    let quantisation: Quantisation
    /// As the source has it: a matrix or a vector.
    let matrix: WeightTensor
    /// One a column, or none.
    private let columnScales: [Float]
    /// Empty while no row is kept.
    private var rows: [QuantisedRow?] = []
    /// Bytes of the rows that are kept.
    private(set) var heldBytes = 0

    /// Throws `weights-missing` and `weights-shape`.
    init(
        _ quantisation: Quantisation, of weights: any WeightSource, at place: Diagnostic.Place
    ) throws(DiagnosticSet) {
        self.quantisation = quantisation
        let shape = try Self.shape(of: quantisation.tensor, in: weights, at: place)
        matrix = WeightTensor(quantisation.tensor, shape: shape)
        var scales: [Float] = []
        if let vector = quantisation.columnScale {
            let length = try Self.shape(of: vector, in: weights, at: place)
            guard length == shape.suffix(1) else {
                throw DiagnosticSet(
                    Diagnostic(
                        at: place, id: "weights-shape",
                        "'\(vector)' of shape \(length) is to scale the columns of "
                            + "'\(quantisation.tensor)' of shape \(shape): give a vector of "
                            + "\(shape[shape.count - 1]) elements"))
            }
            try weights.readRow(0, of: vector, into: &scales)
        }
        columnScales = scales
    }

    private static func shape(
        of tensor: String, in weights: any WeightSource, at place: Diagnostic.Place
    ) throws(DiagnosticSet) -> [Int] {
        guard let shape = weights.shape(of: tensor) else {
            throw DiagnosticSet(
                Diagnostic(
                    at: place, id: "weights-missing",
                    "the weights hold no '\(tensor)': give weights of the model that the program "
                        + "was made for"))
        }
        guard (1...2).contains(shape.count), shape.allSatisfy({ $0 > 0 }) else {
            throw DiagnosticSet(
                Diagnostic(
                    at: place, id: "weights-shape",
                    "'\(tensor)' has shape \(shape): give a matrix [out, in] or a vector [n]"))
        }
        return shape
    }

    /// Row `r`, a vector being row 0 of itself; rows are kept up to a number of bytes.
    ///
    /// Throws `weights-finite`, and what the source throws. - Requires: the row is in the tensor.
    mutating func row(
        _ r: Int, of weights: any WeightSource, keepingBytes limit: Int, at place: Diagnostic.Place
    ) throws(DiagnosticSet) -> QuantisedRow {
        if !rows.isEmpty, let row = rows[r] { return row }
        let elements = try elements(ofRow: r, weights, place)
        let channelLength = matrix.shape.count == 1 ? 1 : matrix.rowLength
        let row = quantisation.row(elements, channelLength: channelLength)
        if heldBytes + row.bytes.count > limit {
            rows = []
            heldBytes = 0
        }
        guard row.bytes.count <= limit else { return row }
        if rows.isEmpty { rows = Array(repeating: nil, count: matrix.rowCount) }
        rows[r] = row
        heldBytes += row.bytes.count
        return row
    }

    /// The elements of a row before they are quantised.
    func elements(
        ofRow r: Int, _ weights: any WeightSource, _ place: Diagnostic.Place
    ) throws(DiagnosticSet) -> [Float] {
        var elements: [Float] = []
        try weights.readRow(r, of: matrix.name, into: &elements)
        precondition(elements.count == matrix.rowLength, "a source gives rows of its shape")
        let factor = Double(quantisation.factor)
        let greatest = elements.withUnsafeMutableBufferPointer { elements in
            if !columnScales.isEmpty {
                columnScales.withUnsafeBufferPointer { scales in
                    for c in elements.indices {
                        elements[c] = Float(Double(elements[c]) * factor * Double(scales[c]))
                    }
                }
            } else if factor != 1 {
                for c in elements.indices { elements[c] = Float(Double(elements[c]) * factor) }
            }
            return elements.greatestMagnitude
        }
        guard greatest.isFinite else {
            let column = elements.firstIndex { !$0.isFinite } ?? 0
            let element = matrix.shape.count == 1 ? [column] : [r, column]
            throw DiagnosticSet(
                Diagnostic(
                    at: place, id: "weights-finite",
                    "element \(element) of '\(matrix.name)' times its factors is "
                        + "\(elements[column]), not finite: repair the weights"))
        }
        return elements
    }
}

import LPUDataflow
import LPUModel
import LPUSupport

/// A piece of a layout as tables: the element at vector i, lane l of it is in row
/// `rowOfVector[i] + run.row` for the run that l is in, and column
/// `columnOfVector[i] + columnOfLane[l]`; a vector is row 0 of itself.
struct ElementMap {
    /// Neighbouring lanes with one row.
    struct Run {
        var lanes: Range<Int>
        var row: Int
    }
    var rowOfVector: [Int]
    var columnOfVector: [Int]
    var columnOfLane: [Int]
    var runs: [Run] = []

    init(_ piece: Piece) {
        let column = piece.base.count - 1
        columnOfVector = (0..<piece.vectors.count).map {
            piece.base[column] + piece.vector[column]($0)
        }
        columnOfLane = (0..<piece.lanes.count).map { piece.lane[column]($0) }
        rowOfVector = (0..<piece.vectors.count).map {
            column == 0 ? 0 : piece.base[0] + piece.vector[0]($0)
        }
        for l in 0..<piece.lanes.count {
            let row = column == 0 ? 0 : piece.lane[0](l)
            if let last = runs.last, last.row == row {
                runs[runs.count - 1].lanes = last.lanes.lowerBound..<l + 1
            } else {
                runs.append(Run(lanes: l..<l + 1, row: row))
            }
        }
    }
}

extension Piece {
    /// Throws `weights-shape` unless every element of the piece is one of the tensor.
    ///
    /// O(vectors + lanes), since each coordinate is a sum of one term of each.
    func check(_ tensor: WeightTensor, at place: Diagnostic.Place) throws(DiagnosticSet) {
        guard base.count == tensor.shape.count else {
            throw DiagnosticSet(
                Diagnostic(
                    at: place, id: "weights-shape",
                    "the layout has \(base.count) coordinates, '\(tensor.name)' has "
                        + "\(tensor.shape.count), its shape is \(tensor.shape): give weights of "
                        + "the model that the program was made for"))
        }
        let named = base.indices.map { d -> Range<Int> in
            let offsets: [Int] = (0..<vectors.count).map { vector[d]($0) }
            let steps: [Int] = (0..<lanes.count).map { lane[d]($0) }
            let first: Int = base[d] + (offsets.min() ?? 0) + (steps.min() ?? 0)
            let last: Int = base[d] + (offsets.max() ?? 0) + (steps.max() ?? 0)
            return first..<last + 1
        }
        let isInside = zip(named, tensor.shape).allSatisfy {
            $0.lowerBound >= 0 && $0.upperBound <= $1
        }
        guard isInside else {
            throw DiagnosticSet(
                Diagnostic(
                    at: place, id: "weights-shape",
                    "the layout names elements \(named) of '\(tensor.name)', its shape is "
                        + "\(tensor.shape): give weights of the model that the program was made for"
                ))
        }
    }
}

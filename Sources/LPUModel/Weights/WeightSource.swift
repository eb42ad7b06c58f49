public import LPUSupport

/// Where weights come from, read a row at a time: no whole model has to be in memory.
public protocol WeightSource: Sendable {
    /// The shape of a tensor by its Hugging Face name, or `nil` if the source does not hold it.
    func shape(of tensor: String) -> [Int]?

    /// Replaces `row` by row `index` of `tensor`, in order; a vector is row 0 of itself.
    ///
    /// - Requires: the source holds the tensor, and the row is inside its shape.
    /// - Throws: what is wrong with the source, such as a file that cannot be read.
    func readRow(
        _ index: Int, of tensor: String, into row: inout [Float]
    ) throws(DiagnosticSet)
}

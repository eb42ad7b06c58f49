/// A tensor of a weight file: where its bytes are and how they are read.
struct StoredTensor: Sendable {
    let file: FileBytes
    /// In the file; the graph may have another name for it.
    let name: String
    let type: StoredType
    /// Outermost first.
    let shape: [Int]
    /// From the start of the file.
    let bytes: Range<Int>
    /// Heads whose rows rest as pairs that turn together; 0 where they rest as in the graph.
    var pairedHeads = 0

    var rowLength: Int { shape.last ?? 1 }
    var rowCount: Int { shape.dropLast().reduce(1, *) }

    /// Bytes that so many elements of a type take; nil where they are no whole rows of blocks, or
    /// more than a file can hold.
    static func byteCount(_ type: StoredType, _ shape: [Int]) -> Int? {
        guard (shape.last ?? 1) % type.blockLength == 0 else { return nil }
        var elements = 1
        for extent in shape {
            let (product, overflows) = elements.multipliedReportingOverflow(by: extent)
            if overflows || extent < 0 { return nil }
            elements = product
        }
        let blocks = elements / type.blockLength
        let (count, overflows) = blocks.multipliedReportingOverflow(by: type.blockBytes)
        return overflows ? nil : count
    }

    /// Replaces `row` by a row as the graph numbers them.
    func readRow(_ index: Int, into row: inout [Float]) {
        row.removeAll(keepingCapacity: true)
        row.reserveCapacity(rowLength)
        let size = rowLength / type.blockLength * type.blockBytes
        let start = bytes.lowerBound + restingRow(index) * size
        type.decode(
            UnsafeRawBufferPointer(rebasing: file.bytes[start..<start + size]), into: &row)
    }

    /// llama.cpp's converter interleaves the halves of a head that turn together
    /// (`LlamaModel.permute` in `convert_hf_to_gguf.py`): row i of half h rests at 2i + h.
    private func restingRow(_ index: Int) -> Int {
        guard pairedHeads > 0 else { return index }
        let length = rowCount / pairedHeads
        let (head, row) = index.quotientAndRemainder(dividingBy: length)
        let (half, i) = row.quotientAndRemainder(dividingBy: length / 2)
        return head * length + 2 * i + half
    }
}

import LPUNumerics
import LPUSupport

/// The ops that move bytes and compute nothing.
extension OpStep {
    private var planes: Int { result.type.byteCount }

    /// Lane l of every plane takes lane `source(l)`, or zero where that is negative.
    func move(_ operand: Operand, _ source: (Int) -> Int) -> [UInt8] {
        let map = (0..<lanes).map(source)
        var bytes = [UInt8](repeating: 0, count: op.count * planes * lanes)
        for i in 0..<op.count {
            for plane in 0..<planes {
                let from = operand.offset(i) + plane * lanes
                let to = (i * planes + plane) * lanes
                for lane in 0..<lanes where map[lane] >= 0 {
                    bytes[to + lane] = operand.bytes[from + map[lane]]
                }
            }
        }
        return bytes
    }

    func select(_ low: Operand, _ high: Operand, _ boundary: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(op.count * planes * lanes)
        for i in 0..<op.count {
            for plane in 0..<planes {
                let (a, b) = (low.offset(i) + plane * lanes, high.offset(i) + plane * lanes)
                bytes += low.bytes[a..<a + boundary]
                bytes += high.bytes[b + boundary..<b + lanes]
            }
        }
        return bytes
    }

    func transpose(_ operand: Operand, _ inputs: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: result.count * planes * lanes)
        for j in 0..<result.count {
            for plane in 0..<planes {
                let to = (j * planes + plane) * lanes
                for first in stride(from: 0, to: lanes, by: superlane) {
                    for i in 0..<inputs {
                        let from = operand.offset(i) + plane * lanes + first
                        bytes[to + first + i] = operand.bytes[from + j]
                    }
                }
            }
        }
        return bytes
    }

    func gather(
        _ table: Operand, _ rows: Int, _ address: Operand
    ) throws(DiagnosticSet) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: op.count * planes * lanes)
        for i in 0..<op.count {
            for first in stride(from: 0, to: lanes, by: superlane) {
                let row = try offset(address, i, first, rows)
                for plane in 0..<planes {
                    let from = table.offset(i) + (row * planes + plane) * lanes + first
                    let to = (i * planes + plane) * lanes + first
                    for lane in 0..<superlane { bytes[to + lane] = table.bytes[from + lane] }
                }
            }
        }
        return bytes
    }

    func scatter(
        _ region: Operand, _ rows: Int, _ address: Operand, _ data: Operand
    ) throws(DiagnosticSet) -> [UInt8] {
        var bytes = region.bytes
        for i in 0..<op.count {
            for first in stride(from: 0, to: lanes, by: superlane) {
                let row = try offset(address, i, first, rows)
                for plane in 0..<planes {
                    let from = data.offset(i) + plane * lanes + first
                    let to = region.offset(i) + (row * planes + plane) * lanes + first
                    for lane in 0..<superlane { bytes[to + lane] = data.bytes[from + lane] }
                }
            }
        }
        return bytes
    }

    /// The offset that the superlane from lane `first` on carries.
    private func offset(
        _ address: Operand, _ i: Int, _ first: Int, _ rows: Int
    ) throws(DiagnosticSet) -> Int {
        let lane = address.offset(i) + first
        let offset = Int(address.bytes[lane]) | Int(address.bytes[lane + 1]) << 8
        guard offset < rows else {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place("\(number)"), id: "dataflow-window",
                    "in i\(instance), iteration \(i), superlane \(first / superlane): offset "
                        + "\(offset) leaves the window 0..<\(rows) of the \(op.kind.name)"))
        }
        return offset
    }

    func pack(_ operands: [Operand]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(op.count * planes * lanes)
        for i in 0..<op.count {
            for operand in operands {
                bytes += operand.bytes[operand.offset(i)..<operand.offset(i) + lanes]
            }
        }
        return bytes
    }

    func byte(_ plane: Int, _ operand: Operand) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(op.count * lanes)
        for i in 0..<op.count {
            let first = operand.offset(i) + plane * lanes
            bytes += operand.bytes[first..<first + lanes]
        }
        return bytes
    }
}

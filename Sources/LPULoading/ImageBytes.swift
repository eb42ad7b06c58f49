public import LPUDataflow
public import LPUModel
import LPUNumerics
public import LPUSupport

/// Makes the bytes of a program's image values: weights quantised and laid out by their formulas.
///
/// Quantised rows are kept for the values that share a tensor, so that each row is read once as
/// long as they fit; what it holds changes no byte of what it makes.
public struct ImageBytes: Sendable {
    public let program: Program
    public let weights: any WeightSource
    private let cacheBytes: Int
    private var tensors: [QuantisedTensor] = []
    /// Place in `tensors`; for look-up only.
    private var index: [Quantisation: Int] = [:]
    private var greatestScales: [Quantisation: Float] = [:]

    /// Keeps quantised rows of up to about twice `cacheBytes` bytes.
    ///
    /// - Requires: `program.problems()` holds no error.
    public init(_ program: Program, weights: any WeightSource, cacheBytes: Int = 1 << 28) {
        self.program = program
        self.weights = weights
        self.cacheBytes = cacheBytes
    }

    /// The bytes of an image value in an instance: vector by vector, in a vector byte plane by byte
    /// plane (low bytes first), in a plane lane by lane; what `Interpreter` takes as `image`.
    ///
    /// Throws `weights-missing` for a tensor that the weights do not hold, `weights-shape` where
    /// the layout has other coordinates than the tensor, or elements beyond it, `weights-finite`
    /// for an element that is infinite or NaN, `weights-scales` where the template holds no
    /// `weights` that `scales` belong to, or several kinds; and what the source throws.
    /// - Requires: the instance's template declares `value` as an image. O(bytes + rows read).
    public mutating func bytes(
        of value: ValueID, in instance: Int
    ) throws(DiagnosticSet) -> [UInt8] {
        let template = program.templates[program.instances[instance].template]
        let declared = template.values[value.index]
        guard case .image(let formula) = declared.origin else {
            preconditionFailure("i\(instance).\(value) is no image")
        }
        let place = Diagnostic.Place("i\(instance).\(value)")
        switch formula {
        case .weights(let layout, let factor, let columnScale):
            let quantisation = program.instances[instance].quantisation(
                layout.tensor, declared.type, factor, columnScale)
            let tensor = try open(quantisation, at: place)
            return try pack(layout, of: tensor, into: declared, at: place)
        case .scales(let layout, let factor, let columnScale):
            let quantisation = try program.instances[instance].quantisation(
                ofScales: layout.tensor, columnScale, in: template, at: place)
            let tensor = try open(quantisation, at: place)
            return try packScales(layout, of: tensor, times: factor, into: declared, at: place)
        case .greatestScale(let tensor, let factor, let columnScale):
            let quantisation = try program.instances[instance].quantisation(
                ofScales: tensor, columnScale, in: template, at: place)
            let scale = try greatestScale(quantisation, at: place)
            return Formula.constant(
                bits: (scale * factor).bitPattern, vectors: 0..<declared.count,
                lanes: 0..<program.lanes
            ).bytes(type: declared.type, count: declared.count, lanes: program.lanes) ?? []
        case .constant, .diagonal, .table, .rotary, .zero:
            return formula.bytes(type: declared.type, count: declared.count, lanes: program.lanes)
                ?? []
        }
    }

    /// The tensor's place in `tensors`.
    private mutating func open(
        _ quantisation: Quantisation, at place: Diagnostic.Place
    ) throws(DiagnosticSet) -> Int {
        if let known = index[quantisation] { return known }
        if tensors.reduce(0, { $0 + $1.heldBytes }) > cacheBytes {
            tensors = []
            index = [:]
        }
        tensors.append(try QuantisedTensor(quantisation, of: weights, at: place))
        index[quantisation] = tensors.count - 1
        return tensors.count - 1
    }

    private mutating func greatestScale(
        _ quantisation: Quantisation, at place: Diagnostic.Place
    ) throws(DiagnosticSet) -> Float {
        if let known = greatestScales[quantisation] { return known }
        let tensor = try open(quantisation, at: place)
        var greatest: Float = 0
        for r in 0..<tensors[tensor].matrix.rowCount {
            let row = try tensors[tensor].row(
                r, of: weights, keepingBytes: cacheBytes, at: place)
            greatest = row.scales.reduce(greatest, max)
        }
        greatestScales[quantisation] = greatest
        return greatest
    }

    private mutating func pack(
        _ layout: Layout, of tensor: Int, into value: Value, at place: Diagnostic.Place
    ) throws(DiagnosticSet) -> [UInt8] {
        let planes = value.type.byteCount
        let lanes = program.lanes
        let matrix = tensors[tensor].matrix
        var bytes = [UInt8](repeating: 0, count: value.count * planes * lanes)
        for piece in layout.pieces {
            try piece.check(matrix, at: place)
            let map = ElementMap(piece)
            for (i, v) in piece.vectors.enumerated() {
                for run in map.runs {
                    let row = try tensors[tensor].row(
                        map.rowOfVector[i] + run.row, of: weights, keepingBytes: cacheBytes,
                        at: place)
                    for plane in 0..<planes {
                        let source = plane * matrix.rowLength + map.columnOfVector[i]
                        let target = (v * planes + plane) * lanes + piece.lanes.lowerBound
                        for l in run.lanes {
                            bytes[target + l] = row.bytes[source + map.columnOfLane[l]]
                        }
                    }
                }
            }
        }
        return bytes
    }

    private mutating func packScales(
        _ layout: Layout, of tensor: Int, times factor: Float, into value: Value,
        at place: Diagnostic.Place
    ) throws(DiagnosticSet) -> [UInt8] {
        let planes = value.type.byteCount
        let matrix = tensors[tensor].matrix
        let isVector = matrix.shape.count == 1
        var bytes = [UInt8](repeating: 0, count: value.count * planes * program.lanes)
        for piece in layout.pieces {
            // A channel is a coordinate of its own; further ones are those of an element of it.
            let named = piece.base.count == 1 ? [matrix.shape[0]] : matrix.shape
            try piece.check(WeightTensor(matrix.name, shape: named), at: place)
            for v in piece.vectors {
                for l in piece.lanes {
                    let channel = piece.element(vector: v, lane: l)[0]
                    let row = try tensors[tensor].row(
                        isVector ? 0 : channel, of: weights, keepingBytes: cacheBytes, at: place)
                    let bits = (row.scales[isVector ? channel : 0] * factor).bitPattern
                    for plane in 0..<planes {
                        bytes[(v * planes + plane) * program.lanes + l] = UInt8(
                            truncatingIfNeeded: bits >> UInt32(8 * plane))
                    }
                }
            }
        }
        return bytes
    }
}

extension Instance {
    /// The tensor's name with the instance's layer.
    private func resolve(_ tensor: String) -> String {
        layer.map {
            tensor.replacing("$layer", with: String($0)).replacing("$next", with: String($0 + 1))
        } ?? tensor
    }

    /// How a `weights` formula of its template quantises.
    func quantisation(
        _ tensor: String, _ type: ElementType, _ factor: Float, _ columnScale: String?
    ) -> Quantisation {
        Quantisation(
            resolve(tensor), type: type, factor: factor, columnScale: columnScale.map(resolve))
    }

    /// How the `weights` of the template quantise that a `scales` formula belongs to.
    fileprivate func quantisation(
        ofScales tensor: String, _ columnScale: String?, in template: ProgramTemplate,
        at place: Diagnostic.Place
    ) throws(DiagnosticSet) -> Quantisation {
        var found: [Quantisation] = []
        for value in template.values {
            guard case .image(.weights(let layout, let factor, columnScale)) = value.origin,
                layout.tensor == tensor
            else { continue }
            let quantisation = quantisation(tensor, value.type, factor, columnScale)
            if !found.contains(quantisation) { found.append(quantisation) }
        }
        guard found.count == 1 else {
            let kinds = found.map { "\($0.type) times \($0.factor)" }.joined(separator: ", ")
            throw DiagnosticSet(
                Diagnostic(
                    at: place, id: "weights-scales",
                    "'\(template.name)' quantises '\(resolve(tensor))' with this column scale in "
                        + "\(found.count) ways (\(kinds)), its scales belong to 1: declare weights "
                        + "of one type and factor beside them"))
        }
        return found[0]
    }
}

public import LPUDataflow
public import LPUModel
public import LPUNumerics
public import LPUSupport

/// How far a tensor as it rests in SRAM is from the one that was given.
public struct QuantisationError: Hashable, Sendable {
    /// Name in the weights.
    public var tensor: String
    /// In which it rests; channels of fp8 and int8 have a scale each.
    public var type: ElementType
    /// Root of the sum of squared errors over the sum of squares; 0 of a tensor of zeros.
    public var relative: Double
    /// The greatest magnitude of an error.
    public var greatest: Double
}

extension Program {
    /// The error of every tensor, factors of the program included, by tensor in the order of use.
    ///
    /// Throws as `ImageBytes`. O(elements).
    /// - Requires: `problems()` holds no error.
    public func quantisationErrors(
        of weights: any WeightSource
    ) throws(DiagnosticSet) -> [QuantisationError] {
        var seen: Set<Quantisation> = []
        var errors: [QuantisationError] = []
        for instance in instances {
            for value in templates[instance.template].values {
                guard case .image(.weights(let layout, let factor, let columnScale)) = value.origin
                else { continue }
                let quantisation = instance.quantisation(
                    layout.tensor, value.type, factor, columnScale)
                guard seen.insert(quantisation).inserted else { continue }
                errors.append(try quantisation.error(of: weights))
            }
        }
        return errors
    }
}

extension Quantisation {
    /// Throws as `elements(of:)`.
    func error(of weights: any WeightSource) throws(DiagnosticSet) -> QuantisationError {
        let place = Diagnostic.Place(tensor)
        var rows = try QuantisedTensor(self, of: weights, at: place)
        var (squares, errors, greatest) = (0.0, 0.0, 0.0)
        for r in 0..<rows.matrix.rowCount {
            let given = try rows.elements(ofRow: r, weights, place)
            let row = try rows.row(r, of: weights, keepingBytes: 0, at: place)
            let words = type.words(row.bytes, count: given.count)
            for c in given.indices {
                let scale = row.scales[row.scales.count == 1 ? 0 : c]
                let isInteger = type == .int8
                let element =
                    isInteger ? Float(Int32(bitPattern: words[c])) : Float(bitPattern: words[c])
                let error = Double(element * scale) - Double(given[c])
                squares += Double(given[c]) * Double(given[c])
                errors += error * error
                greatest = max(greatest, abs(error))
            }
        }
        return QuantisationError(
            tensor: tensor, type: type,
            relative: squares > 0 ? (errors / squares).squareRoot() : 0, greatest: greatest)
    }
}

extension ElementType {
    /// The widened words of byte planes that follow one another.
    fileprivate func words(_ bytes: [UInt8], count: Int) -> [UInt32] {
        widen((0..<byteCount).map { Array(bytes[$0 * count..<($0 + 1) * count]) })
    }
}

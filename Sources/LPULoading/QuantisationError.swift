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
        var errors: [QuantisationError] = []
        for quantisation in quantisations { errors.append(try quantisation.error(of: weights)) }
        return errors
    }

    /// How weights rest in SRAM, each way once, in the order of use.
    public var quantisations: [Quantisation] {
        var seen: Set<Quantisation> = []
        var found: [Quantisation] = []
        for instance in instances {
            for value in templates[instance.template].values {
                guard case .image(.weights(let layout, let factor, let columnScale)) = value.origin
                else { continue }
                let quantisation = instance.quantisation(
                    layout.tensor, value.type, factor, columnScale)
                if seen.insert(quantisation).inserted { found.append(quantisation) }
            }
        }
        return found
    }
}

extension Quantisation {
    /// The numbers that are kept, row-major, without the program's factor: column scales are in.
    ///
    /// Throws as `elements(of:)`. O(elements), 8 bytes each.
    public func kept(of weights: any WeightSource) throws(DiagnosticSet) -> [Double] {
        let place = Diagnostic.Place(tensor)
        var rows = try QuantisedTensor(self, of: weights, at: place)
        var kept: [Double] = []
        for r in 0..<rows.matrix.rowCount {
            let row = try rows.row(r, of: weights, keepingBytes: 0, at: place)
            kept += row.numbers(type).map { Double($0) / Double(factor) }
        }
        return kept
    }

    /// Throws as `elements(of:)`.
    func error(of weights: any WeightSource) throws(DiagnosticSet) -> QuantisationError {
        let place = Diagnostic.Place(tensor)
        var rows = try QuantisedTensor(self, of: weights, at: place)
        var (squares, errors, greatest) = (0.0, 0.0, 0.0)
        for r in 0..<rows.matrix.rowCount {
            let given = try rows.elements(ofRow: r, weights, place)
            let row = try rows.row(r, of: weights, keepingBytes: 0, at: place)
            for (c, number) in row.numbers(type).enumerated() {
                let error = Double(number) - Double(given[c])
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

extension QuantisedRow {
    /// Elements times their scales.
    fileprivate func numbers(_ type: ElementType) -> [Float] {
        let count = bytes.count / type.byteCount
        let planes = (0..<type.byteCount).map { Array(bytes[$0 * count..<($0 + 1) * count]) }
        return type.widen(planes).enumerated().map { c, word in
            let element =
                type == .int8 ? Float(Int32(bitPattern: word)) : Float(bitPattern: word)
            return element * scales[scales.count == 1 ? 0 : c]
        }
    }
}

import LPULoading
import LPUModel
import LPUNumerics
import LPUSupport
import Testing

/// Weights that a test writes down, and how often each row was read.
final class ListedWeights: WeightSource, @unchecked Sendable {
    let tensors: [String: (shape: [Int], elements: [Float])]
    /// Of one thread only.
    private(set) var reads: [String: Int] = [:]

    init(_ tensors: [String: (shape: [Int], elements: [Float])]) { self.tensors = tensors }

    func shape(of tensor: String) -> [Int]? { tensors[tensor]?.shape }

    func readRow(_ index: Int, of tensor: String, into row: inout [Float]) throws(DiagnosticSet) {
        guard let (shape, elements) = tensors[tensor] else { preconditionFailure(tensor) }
        reads["\(tensor) \(index)", default: 0] += 1
        let length = shape.last ?? 1
        row = Array(elements[index * length..<(index + 1) * length])
    }
}

@Suite struct QuantisationTests {
    /// Matrix [3, 4] with a row of zeros; the third column outgrows the first by its scale.
    static let weights = ListedWeights([
        "w": ([3, 4], [8, -1, 0.5, 3.25, 0, 0, 0, 0, -2, 1, 0.25, 1e-3]),
        "c": ([4], [1, 2, 64, -1]),
        "b": ([3], [0.5, -70_000, 0]),
    ])

    @Test func fp16IsNearestAndSaturates() throws {
        let bias = try Quantisation("b", type: .fp16).elements(of: Self.weights)
        #expect(bias == [0x3800, 0xfbff, 0])
        let scales = try Quantisation("b", type: .fp16).scales(of: Self.weights)
        #expect(scales == [1, 1, 1])
    }

    @Test func fp32KeepsWhatIsRoundedOnce() throws {
        let elements = try Quantisation("w", type: .fp32, factor: 0.1, columnScale: "c")
            .elements(of: Self.weights)
        let expected = [8, -1, 0.5, 3.25].enumerated().map { i, w in
            Float(w * Double(Float(0.1)) * [1, 2, 64, -1][i]).bitPattern
        }
        #expect(Array(elements[..<4]) == expected)
    }

    /// Rows [8, -2, 32, -3.25], 0 and [-2, 2, 16, -0.001]: 32 and 16 are the greatest.
    @Test func scalesAreOfTheWholeScaledRow() throws {
        let fp8 = Quantisation("w", type: .fp8, columnScale: "c")
        #expect(try fp8.scales(of: Self.weights) == [32.0 / 448, 1, 16.0 / 448])
        let elements = try fp8.elements(of: Self.weights).map { FP8.decode(UInt8($0)) }
        #expect(elements == [112, -28, 448, -44, 0, 0, 0, 0, -56, 56, 448, -0.02734375])
        let int8 = Quantisation("w", type: .int8, factor: -0.5, columnScale: "c")
        #expect(try int8.scales(of: Self.weights) == [16.0 / 127, 1, 8.0 / 127])
        let bytes = try int8.elements(of: Self.weights).map { Int8(truncatingIfNeeded: $0) }
        #expect(bytes == [-32, 8, -127, 13, 0, 0, 0, 0, 16, -16, -127, 0])
    }

    @Test func elementsOfAVectorAreChannels() throws {
        let int8 = Quantisation("b", type: .int8)
        #expect(try int8.scales(of: Self.weights) == [0.5 / 127, 70_000.0 / 127, 1])
        #expect(try int8.elements(of: Self.weights) == [127, 0x81, 0])
    }

    /// A scale that would be below the smallest fp32 number is 1, and nothing becomes NaN.
    @Test func tinyRowsStayNumbers() throws {
        let least = Float.leastNonzeroMagnitude
        let weights = ListedWeights(["w": ([2, 2], [least, 0, 300 * least, -300 * least])])
        for type in [ElementType.fp8, .int8] {
            let quantisation = Quantisation("w", type: type)
            #expect(try quantisation.scales(of: weights)[0] == 1)
            let greatest: UInt32 = type == .fp8 ? 0x79 : 0x7f
            let elements = try quantisation.elements(of: weights)
            #expect(elements == [0, 0, greatest, type == .fp8 ? 0xf9 : 0x80])
        }
    }

    @Test(arguments: [Float.infinity, .nan, -.infinity])
    func elementsAreFinite(bad: Float) throws {
        let weights = ListedWeights(["w": ([2, 2], [1, 2, 3, bad])])
        for type in [ElementType.fp8, .int8, .fp16, .fp32] {
            let error = #expect(throws: DiagnosticSet.self) {
                try Quantisation("w", type: type).elements(of: weights)
            }
            let found = try #require(error?.diagnostics.first)
            #expect(found.id == "weights-finite" && found.message.contains("[1, 1] of 'w'"))
        }
    }

    @Test func productsThatOverflowAreReported() throws {
        let weights = ListedWeights(["w": ([1, 2], [1, 1e30])])
        let error = #expect(throws: DiagnosticSet.self) {
            try Quantisation("w", type: .fp16, factor: 1e30).elements(of: weights)
        }
        #expect(error?.diagnostics.map(\.id) == ["weights-finite"])
    }

    @Test(arguments: [
        (Quantisation("x", type: .fp8), "weights-missing", ["'x'"]),
        (Quantisation("w", type: .fp8, columnScale: "x"), "weights-missing", ["'x'"]),
        (
            Quantisation("w", type: .fp8, columnScale: "b"), "weights-shape",
            ["'b'", "[3]", "'w'", "[3, 4]", "4 elements"]
        ),
        (Quantisation("w", type: .fp8, columnScale: "w"), "weights-shape", ["[3, 4]"]),
        (Quantisation("cube", type: .fp8), "weights-shape", ["'cube'", "[1, 1, 1]"]),
        (Quantisation("none", type: .fp8), "weights-shape", ["[0, 4]"]),
    ])
    func wrongTensorsAreNamed(
        quantisation: Quantisation, id: String, parts: [String]
    ) throws {
        var tensors = Self.weights.tensors
        tensors["cube"] = ([1, 1, 1], [1])
        tensors["none"] = ([0, 4], [])
        let weights = ListedWeights(tensors)
        let error = #expect(throws: DiagnosticSet.self) {
            try quantisation.elements(of: weights)
        }
        let found = try #require(error?.diagnostics.first)
        #expect(found.id == id)
        for part in parts { #expect(found.message.contains(part)) }
    }
}

public import LPUDataflow
import LPUNumerics
import LPUSupport

/// A random legal dataflow program, with random bytes for what its formulas leave open.
///
/// It has every kind of op, chains, tiles that matmuls share, regions that are scattered into and
/// read again. Every value is used: what nothing else takes leaves at the host port. The same seed
/// gives the same program and bytes.
public struct RandomProgram: Sendable {
    public let seed: UInt64
    public let program: Program

    /// - Parameters:
    ///   - chips: 1, or 2 with transfers between them: chips 0 and 1 of the machine.
    ///   - opCount: about how many ops it has before its unused values leave.
    /// - Requires: `lanesPerSuperlane` is even and divides `lanes`.
    public init(
        seed: UInt64, chips: Int = 1, opCount: ClosedRange<Int> = 4...18, lanes: Int = 320,
        lanesPerSuperlane: Int = 16
    ) {
        self.seed = seed
        var generator = ProgramGenerator(
            seed: seed, chips: chips, lanes: lanes, lanesPerSuperlane: lanesPerSuperlane)
        generator.generate(opCount: opCount)
        program = Program(
            name: "random\(seed)", lanes: lanes, lanesPerSuperlane: lanesPerSuperlane,
            templates: [generator.builder.template],
            instances: [Instance(template: 0, chips: (0..<chips).map { ChipID($0) })])
    }

    /// The bytes of every value that rests in SRAM before cycle 0, none for others: `draw` picks
    /// one of many fillings of the weights.
    public func images(draw: UInt64) -> [[UInt8]] {
        var random = SeededGenerator(seed: seed &* 31 &+ draw)
        return program.templates[0].values.map { value in
            guard case .image(let formula) = value.origin else { return [] }
            return formula.bytes(type: value.type, count: value.count, lanes: program.lanes)
                ?? numbers(value.type, count: value.count * program.lanes, using: &random)
        }
    }

    /// The bytes of every vector that enters, in the program's order.
    public func ingress(draw: UInt64) -> [[UInt8]] {
        var random = SeededGenerator(seed: seed &* 37 &+ draw)
        let template = program.templates[0]
        let count = template.ops.filter { $0.kind == .ingress }.reduce(0) { $0 + $1.count }
        return (0..<count).map { _ in
            (0..<program.lanes).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
    }

    /// Numbers of a sober size, byte plane by byte plane of each vector.
    private func numbers(
        _ type: ElementType, count: Int, using random: inout SeededGenerator
    ) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count * type.byteCount)
        for i in 0..<count {
            let number = Float.random(in: -2...2, using: &random)
            let bits: UInt32 =
                switch type {
                case .fp8: UInt32(FP8.encode(number))
                case .fp16: UInt32(FP16.encode(number))
                case .fp32: number.bitPattern
                case .int8, .int32: UInt32.random(in: 0...255, using: &random)
                }
            let (vector, lane) = i.quotientAndRemainder(dividingBy: program.lanes)
            for plane in 0..<type.byteCount {
                let at = (vector * type.byteCount + plane) * program.lanes + lane
                bytes[at] = UInt8(truncatingIfNeeded: bits >> UInt32(8 * plane))
            }
        }
        return bytes
    }
}

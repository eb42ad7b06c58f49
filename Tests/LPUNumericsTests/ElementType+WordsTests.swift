import LPUSupport
import Testing

@testable import LPUNumerics

@Test func planesAreLittleEndian() {
    #expect(ElementType.int32.widen([[0x78], [0x56], [0x34], [0x12]]) == [0x1234_5678])
    #expect(
        ElementType.fp32.widen([[0, 1], [0, 0], [0x80, 0], [0x3f, 0]]) == [0x3f80_0000, 1])
    #expect(ElementType.fp16.widen([[0x00], [0xc0]]) == [Float(-2).bitPattern])
    #expect(ElementType.int8.widen([[0x80, 0x7f]]) == [0xffff_ff80, 0x7f])
    #expect(ElementType.fp32.narrow([0x1234_5678]) == [[0x78], [0x56], [0x34], [0x12]])
    #expect(ElementType.fp16.narrow([Float(-2).bitPattern]) == [[0x00], [0xc0]])
}

@Test func everyFP8AndFP16CodeWidensAsDecodedAndNarrowsBack() {
    let bytes = Array(0...UInt8.max)
    #expect(ElementType.fp8.widen([bytes]) == bytes.map { FP8.decode($0).bitPattern })
    #expect(
        ElementType.fp8.narrow(ElementType.fp8.widen([bytes])) == [
            bytes.map { $0 & 0x7f == 0x7f ? 0x7f : $0 }
        ])
    #expect(ElementType.int8.narrow(ElementType.int8.widen([bytes])) == [bytes])
    let codes = Array(0...UInt16.max)
    let planes = [codes.map { UInt8($0 & 0xff) }, codes.map { UInt8($0 >> 8) }]
    let words = ElementType.fp16.widen(planes)
    #expect(words == codes.map { FP16.decode($0).bitPattern })
    let back = ElementType.fp16.narrow(words)
    for index in codes.indices where Float(bitPattern: words[index]).isFinite {
        #expect(back[0][index] == planes[0][index] && back[1][index] == planes[1][index])
    }
}

/// What a stream carries of a cast, widened again, is what a chained consumer sees.
@Test(arguments: [
    (ALUOperation.toFP16, ElementType.fp16), (.toFP8, .fp8), (.toInt8, .int8), (.intToInt8, .int8),
    (.toInt32, .int32), (.toFP32, .fp32),
])
func castsNarrowExactly(_ operation: ALUOperation, _ type: ElementType) {
    let seed: UInt64 = 31
    var generator = SeededGenerator(seed: seed)
    let random = (0..<50_000).map { _ in UInt32.random(in: 0...UInt32.max, using: &generator) }
    let words = operation.apply(random + random.map { $0 & 0x87ff_ffff | 0x3800_0000 })
    #expect(type.widen(type.narrow(words)) == words, "seed \(seed)")
}

@Test func vectorsWithoutLanes() {
    for type in ElementType.allCases {
        let planes = Array(repeating: [UInt8](), count: type.byteCount)
        #expect(type.widen(planes).isEmpty && type.narrow([]) == planes)
    }
}

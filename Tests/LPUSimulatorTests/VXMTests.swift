import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSimulator
import LPUSupport
import Testing

@Suite struct VXMTests {
    /// An operand of fp16 on s0e and s1e at register 0 in cycle 50.
    private func operand(_ bench: inout Bench, _ values: (Int) -> Float) throws -> ALUOperand {
        let words = (0..<bench.chip.lanes).map { values($0).bitPattern }
        for (k, bytes) in ElementType.fp16.narrow(words).enumerated() {
            bench.feed(bytes, try s("s\(k)e"), at: 0, 50)
        }
        return .stream(try s("s0e"), .fp16)
    }

    private func word(_ value: Float) -> ALUOperand { .immediate(value.bitPattern) }

    @Test func aChainOfThreeALUs() throws {
        var bench = try Bench()
        let x = try operand(&bench) { Float($0) / 8 }
        // (x * 3 + 1) in fp16, on two streams east and west.
        bench.add(.alu(0), at: 54, .alu(.multiply, x, word(3), east: nil, west: nil))
        bench.add(.alu(9), at: 57, .alu(.add, .alu(0), word(1), east: nil, west: nil))
        bench.add(
            .alu(5), at: 60,
            .alu(.toFP16, .alu(9), nil, east: try s("s12e"), west: try s("s8w")))
        let east = try (0..<2).map { bench.keep(try s("s12e").advanced(by: $0), from: 0, 63) }
        let west = try (0..<2).map { bench.keep(try s("s8w").advanced(by: $0), from: 0, 63) }
        let result = try bench.run(east + west).map { try #require($0) }
        let expected = (0..<320).map { Float($0) / 8 * 3 + 1 }
        let probes = (57...58).map { Probe(chip: ChipID(0), alu: 9, cycle: Cycle($0)) }
        let simulator = try bench.simulator(probes: probes)
        _ = try simulator.step()
        #expect(simulator.words(of: probes[0]) == expected.map(\.bitPattern))
        #expect(simulator.words(of: probes[1]) == nil)
        #expect(
            ElementType.fp16.widen(Array(result[..<2])).map(Float.init(bitPattern:)) == expected)
        #expect(result[..<2] == result[2...])
    }

    @Test(arguments: [-1, 1]) func anOperandACycleOffIsNotThere(off: Int) throws {
        var stream = try Bench()
        let x = try operand(&stream) { Float($0) }
        stream.add(.alu(0), at: 54 + off, .alu(.negate, x, nil, east: nil, west: nil))
        let fault = try stream.fault()
        #expect(fault.law == .operandTiming && fault.cycle == Cycle(54 + off))
        #expect(fault.message == "s0e at register 0 holds nothing in @\(50 + off)")

        var chain = try Bench()
        chain.add(.alu(3), at: 10, .alu(.copy, word(1), nil, east: nil, west: nil))
        chain.add(.alu(4), at: 13 + off, .alu(.copy, .alu(3), nil, east: nil, west: nil))
        let late = try chain.fault()
        #expect(late.law == .operandTiming && late.unit == .alu(4))
        #expect(late.message == "alu3 fired nothing in @\(10 + off)")
    }

    @Test(arguments: [ElementType.fp8, .int8, .fp32, .int32])
    func everyTypeIsWidenedAndCast(type: ElementType) throws {
        var bench = try Bench()
        let isFloat = type.widened == .fp32
        let words = (0..<320).map { lane -> UInt32 in
            let value = lane % 15 - 7
            return isFloat ? Float(value).bitPattern : UInt32(bitPattern: Int32(value))
        }
        for (k, bytes) in type.narrow(words).enumerated() {
            bench.feed(bytes, try s("s\(8 + k)w"), at: 0, 50)
        }
        bench.add(
            .alu(4), at: 54,
            .alu(.copy, .stream(try s("s8w"), type), nil, east: try s("s8e"), west: nil))
        bench.add(
            .alu(6), at: 57,
            .alu(isFloat ? .toFP8 : .intToInt8, .alu(4), nil, east: nil, west: try s("s13w")))
        let wide = try (0..<4).map { bench.keep(try s("s\(8 + $0)e"), from: 0, 57) }
        let narrow = bench.keep(try s("s13w"), from: 0, 60)
        let result = try bench.run(wide + [narrow]).map { try #require($0) }
        #expect(ElementType.fp32.widen(Array(result[..<4])) == words)
        let byte: ElementType = isFloat ? .fp8 : .int8
        #expect(byte.widen([result[4]]) == words)
    }

    @Test func aResultIsReadAgainOnlyExactlyThen() throws {
        // One ALU every cycle: each consumer sees the firing of three cycles before.
        var bench = try Bench()
        for k in 0..<8 {
            bench.add(
                .alu(0), at: 20 + k, .alu(.copy, .immediate(UInt32(k)), nil, east: nil, west: nil))
        }
        bench.add(
            .alu(1), at: 26, .alu(.addInt, .alu(0), .alu(0), east: try s("s4e"), west: nil))
        let place = bench.keep(try s("s4e"), from: 0, 29)
        #expect(try bench.run([place])[0]?.first == 6)
    }

    @Test func theRoutingTable() throws {
        func fault(_ alu: Int, _ instruction: Instruction) throws -> Fault {
            var bench = try Bench()
            bench.add(.alu(alu), at: 60, instruction)
            let fault = try bench.fault()
            #expect(fault.law == .vxmRoute && fault.cycle == Cycle(60))
            return fault
        }
        let one = word(1)
        #expect(
            try fault(0, .alu(.copy, one, nil, east: try s("s16e"), west: nil)).message
                == "s16e is in group 4, out of reach")
        #expect(
            try fault(4, .alu(.negate, .stream(try s("s4w"), .fp32), nil, east: nil, west: nil))
                .message == "s4w is in group 1, out of reach")
        #expect(
            try fault(1, .alu(.exp, one, nil, east: nil, west: nil)).message
                == "'exp' needs a large ALU")
        let both = Instruction.alu(
            .add, .stream(try s("s4w"), .fp8), .stream(try s("s5e"), .fp8), east: nil, west: nil)
        #expect(try fault(0, both).message == "group 1 enters from both directions")
    }
}

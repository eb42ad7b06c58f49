import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport
import Testing

@testable import LPUVerifier

/// Machines on which vectors are under way for longer than on the presets.
@Suite struct OtherMachinesTests {
    /// A byte in, plus one, and out again at the host port, with an operand and a result under way
    /// for so long between register 0 and the ALUs.
    private func roundTrip(entry: Int = 4, exit: Int = 0, firing: Int, egress: Int) -> Sketch {
        var sketch = Sketch()
        sketch.machine.chip.vxmEntryLatency = entry
        sketch.machine.chip.vxmExitLatency = exit
        let x = sketch.builder.ingress(count: 1)
        let y = sketch.builder.elementwise(.addInt, x[0], integer: 1)
        let z = sketch.builder.elementwise(.intToInt8, y[0])
        _ = sketch.builder.egress(z[0])
        sketch.at(0, .host, .ingress(east0))
        sketch.at(
            firing, .alu(0),
            .alu(.addInt, .stream(east0, .int8), .immediate(1), east: nil, west: nil))
        sketch.at(firing + 3, .alu(1), .alu(.intToInt8, .alu(0), nil, east: nil, west: west0))
        sketch.at(egress, .host, .egress(west0))
        return sketch
    }

    @Test func aResultLeavesTheVXMAfterItsExit() {
        #expect(roundTrip(exit: 5, firing: 17, egress: 40).broken() == [])
        let early = roundTrip(exit: 5, firing: 17, egress: 35).broken()
        #expect(early == [.operandTiming, .coverage])
    }

    @Test func anOperandIsOnlyWhatEnteredThen() {
        #expect(roundTrip(entry: 100, firing: 113, egress: 131).broken() == [])
        // As much later as what is kept of register 0 goes back, and a little more.
        for late in [64, 100, 128, 256] {
            let broken = roundTrip(entry: 100, firing: 113 + late, egress: 131 + late).broken()
            #expect(broken.contains(.operandTiming), "\(late)")
        }
    }

    /// Two bytes in, both written into one row, and what is read of it much later.
    private func overwritten(leaves vector: Int, secondAt: Int) -> Sketch {
        var sketch = Sketch()
        sketch.machine.chip.writeToRead = 100
        let x = sketch.builder.ingress(count: 2)
        _ = sketch.builder.egress(x[vector])
        for start in [0, secondAt] {
            sketch.at(start, .host, .ingress(east0))
            // Slice 8 is at register -3, nine from the port.
            sketch.at(
                start + 10, .memory(.west, slice: 8),
                .memory(.none, .write(RowAddress(bank: 0, row: 0), east0)))
        }
        sketch.read(1000, .west, 8, west0)
        sketch.at(1010, .host, .egress(west0))
        return sketch
    }

    @Test func aRowIsWrittenThoughNothingElseHappens() {
        for second in [300, 500, 889] {
            #expect(overwritten(leaves: 1, secondAt: second).broken() == [])
            #expect(!overwritten(leaves: 0, secondAt: second).broken().isEmpty)
        }
        #expect(!overwritten(leaves: 1, secondAt: 891).broken().isEmpty)
    }
}

import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport
import Testing

@testable import LPUVerifier

/// x - y of four fp16 vectors, through a chained copy, cast to fp16 and written.
private struct Chain {
    var sketch = Sketch()
    let readY: Int
    let subtract: Int
    let copy: Int
    let cast: Int

    init() {
        let x = sketch.builder.image("x", type: .fp16, count: 5, .zero)
        let y = sketch.builder.image("y", type: .fp16, count: 5, .zero)
        let d = sketch.builder.elementwise(.subtract, x[0], y[0], count: 4)
        _ = sketch.builder.elementwise(.toFP16, d[0], count: 4)
        for plane in 0..<2 {
            sketch.hold(x, plane: plane, .east, plane, rows: 5)
            sketch.hold(y, plane: plane, .east, 2 + plane, rows: 5)
            sketch.read(0, .east, plane, Stream(.west, plane), count: 4)
        }
        sketch.read(0, .east, 2, Stream(.west, 4), count: 4)
        readY = sketch.chips[0].bursts.count - 1
        sketch.read(0, .east, 3, Stream(.west, 5), count: 4)
        subtract = sketch.at(
            6, .alu(0),
            .alu(
                .subtract, .stream(west0, .fp16), .stream(Stream(.west, 4), .fp16), east: nil,
                west: nil), count: 4)
        copy = sketch.at(
            9, .alu(4), .alu(.copy, .alu(0), nil, east: nil, west: nil), count: 4)
        cast = sketch.at(
            12, .alu(1), .alu(.toFP16, .alu(4), nil, east: nil, west: Stream(.west, 8)), count: 4)
        for plane in 0..<2 {
            sketch.at(
                16, .memory(.west, slice: plane),
                .memory(.none, .write(RowAddress(bank: 0, row: 9), Stream(.west, 8 + plane))),
                count: 4, step: 1)
        }
    }
}

@Suite struct ElementwiseTests {
    @Test func aChainIsAccepted() {
        let result = Chain().sketch.judged()
        #expect(result.violations == [])
        #expect(result.issueCount == 36)
        #expect(result.iterationCount == 8)
    }

    @Test func labelsAreNotTrusted() {
        let chain = Chain()
        for label in [0, 1, 7, -3] {
            let broken = chain.sketch.broken { sketch in
                for i in sketch.chips[0].bursts.indices {
                    sketch.chips[0].bursts[i].op = OpID(label)
                }
            }
            #expect(broken == [], "label \(label)")
        }
    }

    @Test func streamOffByOne() {
        let chain = Chain()
        let broken = chain.sketch.broken {
            $0.change(
                chain.subtract,
                .alu(
                    .subtract, .stream(west0, .fp16), .stream(Stream(.west, 5), .fp16), east: nil,
                    west: nil))
        }
        #expect(broken == [.operandTiming, .coverage])
    }

    @Test func cycleOffByOne() {
        let chain = Chain()
        let broken = chain.sketch.broken { $0.delay(chain.subtract, by: 1) }
        #expect(broken == [.operandTiming, .coverage])
    }

    @Test func aChainedOperandIsExactlyOneLatencyOld() {
        let chain = Chain()
        #expect(
            chain.sketch.broken { $0.delay(chain.cast, by: 1) } == [.operandTiming, .coverage])
    }

    @Test func oneOperandACycleLate() {
        // Only the low bytes of y come late: planes of two vectors are no word.
        let chain = Chain()
        let broken = chain.sketch.broken { $0.delay(chain.readY, by: 1) }
        #expect(broken == [.operandTiming, .provenance, .coverage])
    }

    @Test func rowOffByOne() {
        let chain = Chain()
        let broken = chain.sketch.broken {
            for burst in [chain.readY, chain.readY + 1] {
                let plane = burst - chain.readY
                $0.change(
                    burst,
                    .memory(
                        .read(RowAddress(bank: 0, row: 1), Stream(.west, 4 + plane)), .none))
            }
        }
        #expect(broken == [.provenance, .coverage])
    }

    @Test func aRowThatNothingWrote() {
        let chain = Chain()
        let broken = chain.sketch.broken {
            $0.change(
                chain.readY,
                .memory(.read(RowAddress(bank: 1, row: 0), Stream(.west, 4)), .none))
        }
        #expect(broken == [.operandTiming, .coverage])
    }

    @Test func swappedOperands() {
        let chain = Chain()
        let swapped = Instruction.alu(
            .subtract, .stream(Stream(.west, 4), .fp16), .stream(west0, .fp16), east: nil,
            west: nil)
        #expect(
            chain.sketch.broken { $0.change(chain.subtract, swapped) } == [.provenance, .coverage])
    }

    @Test func droppedInstruction() {
        let chain = Chain()
        let broken = chain.sketch.broken { $0.chips[0].bursts.remove(at: chain.subtract) }
        #expect(broken == [.operandTiming, .coverage])
    }

    @Test func doubledInstruction() {
        let chain = Chain()
        let broken = chain.sketch.broken {
            var again = $0.chips[0].bursts[chain.subtract]
            again.queue = $0.machine.chip.queue(of: .alu(2))
            $0.chips[0].bursts.append(again)
        }
        #expect(broken == [.coverage])
    }

    @Test func aCopyThatLeavesIsTheWidenedWord() {
        // x of fp16 goes round through SRAM as 32 bits and is the same operand.
        var sketch = Sketch()
        let x = sketch.builder.image("x", type: .fp16, count: 1, .zero)
        _ = sketch.builder.elementwise(.negate, x[0])
        for plane in 0..<2 {
            sketch.hold(x, plane: plane, .east, plane, rows: 1)
            sketch.read(0, .east, plane, Stream(.west, plane))
        }
        sketch.at(
            6, .alu(0),
            .alu(.copy, .stream(west0, .fp16), nil, east: nil, west: Stream(.west, 8)))
        for plane in 0..<4 {
            sketch.at(
                10, .memory(.west, slice: plane),
                .memory(.none, .write(RowAddress(bank: 0, row: 7), Stream(.west, 8 + plane))))
            sketch.read(11, .west, plane, row: 7, Stream(.east, 4 + plane))
        }
        let last = sketch.at(
            17, .alu(1),
            .alu(.negate, .stream(Stream(.east, 4), .fp32), nil, east: nil, west: nil))
        #expect(sketch.broken() == [])
        let asFP16 = Instruction.alu(
            .negate, .stream(Stream(.east, 4), .fp16), nil, east: nil, west: nil)
        #expect(sketch.broken { $0.change(last, asFP16) } == [.provenance, .coverage])
    }

    @Test func equalOpsAreOneTermAndBothDone() {
        var sketch = Sketch()
        let x = sketch.builder.image("x", type: .fp32, count: 1, .zero)
        let first = sketch.builder.elementwise(.negate, x[0], name: "first")
        let second = sketch.builder.elementwise(.negate, x[0], name: "second")
        _ = sketch.builder.elementwise(.add, second[0], first[0])
        for plane in 0..<4 {
            sketch.hold(x, plane: plane, .east, plane, rows: 1)
            sketch.read(0, .east, plane, Stream(.west, plane))
        }
        let negate = Instruction.alu(
            .negate, .stream(west0, .fp32), nil, east: nil, west: nil)
        sketch.at(6, .alu(0), negate)
        let again = sketch.at(6, .alu(3), negate)
        sketch.at(9, .alu(5), .alu(.add, .alu(0), .alu(0), east: nil, west: nil))
        #expect(sketch.broken() == [])
        #expect(sketch.broken { $0.chips[0].bursts.remove(at: again) } == [.coverage])
    }
}

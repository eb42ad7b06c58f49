import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport
import Testing

@testable import LPUVerifier

private let all = 0..<320

/// Two fp8 tiles of 320 x 320, one activation each, summed on plane e0.
private struct TwoTiles {
    var sketch = Sketch()
    let firstLoad: Int
    let firstMatmul: Int
    let secondMatmul: Int
    let firstSum: Int
    let secondSum: Int

    init() {
        let w = sketch.builder.image(
            "w", type: .fp8, count: 640, .constant(bits: 0x38, vectors: 0..<640, lanes: all))
        let a = sketch.builder.image(
            "a", type: .fp8, count: 2, .constant(bits: 0x38, vectors: 0..<2, lanes: all))
        _ = sketch.builder.matmul(
            [
                MatmulTerm(a[0], Tile([w[0]], count: 320)),
                MatmulTerm(a[1], Tile([w[320]], count: 320)),
            ], count: 1)
        firstLoad = sketch.chips[0].bursts.count
        for (tile, arrival) in [30, 51].enumerated() {
            sketch.load(w, first: 320 * tile, row: 20 * tile, arriving: arrival)
            let install = arrival + 19 + 3
            sketch.at(arrival, .loadWeights(.east, plane: 0), sketch.columns, count: 20, step: 1)
            sketch.at(install, .matmul(.east, plane: 0), .install(tandem: false))
        }
        sketch.hold(a, .east, 20, rows: 2)
        // Register 6 to 12: 1 + 6 cycles from the read to the edge.
        sketch.read(53 - 7, .east, 20, row: 0, Stream(.east, 16))
        sketch.read(74 - 7, .east, 20, row: 1, Stream(.east, 16))
        let activation = Instruction.matmul(activation: Stream(.east, 16), .fp8)
        firstMatmul = sketch.at(53, .matmul(.east, plane: 0), activation)
        secondMatmul = sketch.at(74, .matmul(.east, plane: 0), activation)
        firstSum = sketch.at(
            75, .accumulate(.east, plane: 0), .accumulate(row: 3, add: false, emit: nil))
        secondSum = sketch.at(
            96, .accumulate(.east, plane: 0), .accumulate(row: 3, add: true, emit: west0))
    }
}

extension Sketch {
    fileprivate var columns: Instruction { .loadWeights(column: 0, tandem: false) }

    /// 320 weight vectors from `first` on in slices e0...e15, read to reach the edge in time.
    fileprivate mutating func load(
        _ value: ValueID, plane: Int = 0, first: Int, row: Int, arriving: Int, columns: Int = 20,
        stream: Int = 0, slice: Int = 0
    ) {
        for s in 0..<16 {
            hold(
                value, plane: plane, .east, slice + s, row: row, rows: columns, first: first + s,
                stride: 16)
            let register = machine.chip.register(ofSlice: slice + s, in: .east)
            read(
                arriving - 1 - (machine.chip.edge - register), .east, slice + s, row: row,
                Stream(.east, stream + s), count: columns)
        }
    }
}

@Suite struct MatmulTests {
    /// A row of zeros may stand for another one, unless a step wrote there.
    @Test func whatIsScatteredIntoIsNotZero() {
        var sketch = Sketch()
        let zeros = Formula.constant(bits: 0, vectors: 0..<4, lanes: all)
        let address = sketch.builder.ingress(count: 1)
        let data = sketch.builder.ingress(count: 1)
        let images = [zeros, .zero, zeros, .zero].map {
            sketch.builder.image("z", type: .int8, count: 4, $0)
        }
        for region in images[2...] {
            _ = sketch.builder.scatter(
                into: region[0], rows: 4, address: address[0], data: data[0], count: 1)
        }
        let flat = SymbolicProgram(sketch.program)
        #expect(
            images.map { flat.isZero(flat.term($0.index, 1, 0)) } == [true, true, false, false])
    }

    @Test func twoTilesAreAccepted() {
        let result = TwoTiles().sketch.judged()
        #expect(result.violations == [])
        #expect(result.iterationCount == 1)
    }

    @Test func swappedTiles() {
        let tiles = TwoTiles()
        let broken = tiles.sketch.broken {
            // Each tile's rows hold the other's vectors.
            for i in $0.chips[0].allocations.indices.dropLast() {
                let first = $0.chips[0].allocations[i].first
                $0.chips[0].allocations[i].first = (first + 320) % 640
            }
        }
        #expect(broken == [.provenance, .coverage])
    }

    @Test func reorderedAccumulate() {
        let tiles = TwoTiles()
        let broken = tiles.sketch.broken {
            $0.change(tiles.secondSum, .accumulate(row: 3, add: false, emit: west0))
        }
        #expect(broken == [.provenance, .coverage])
        let intoAnotherRow = tiles.sketch.broken {
            $0.change(tiles.secondSum, .accumulate(row: 4, add: true, emit: west0))
        }
        #expect(intoAnotherRow == [.operandTiming, .coverage])
    }

    @Test func aSumThatLeavesTooEarly() {
        let tiles = TwoTiles()
        let broken = tiles.sketch.broken {
            $0.change(tiles.firstSum, .accumulate(row: 3, add: false, emit: west0))
        }
        #expect(broken == [.provenance, .coverage])
    }

    @Test func aSumThatNeverLeaves() {
        let tiles = TwoTiles()
        let broken = tiles.sketch.broken {
            $0.change(tiles.secondSum, .accumulate(row: 3, add: true, emit: nil))
        }
        #expect(broken == [.coverage])
    }

    @Test func anInstallTooEarlyMissesColumns() {
        let tiles = TwoTiles()
        let install = tiles.sketch.chips[0].bursts.firstIndex {
            $0.instruction == .install(tandem: false)
        }!
        #expect(
            tiles.sketch.broken { $0.delay(install, by: -1) } == [.provenance, .coverage])
    }

    @Test func cycleOffByOne() {
        let tiles = TwoTiles()
        let late = tiles.sketch.broken {
            $0.delay(tiles.firstMatmul, by: 1)
        }
        #expect(late == [.operandTiming, .coverage])
        let sum = tiles.sketch.broken { $0.delay(tiles.secondSum, by: 1) }
        #expect(sum == [.operandTiming, .coverage])
    }

    @Test func weightRowOffByOne() {
        let tiles = TwoTiles()
        let broken = tiles.sketch.broken {
            $0.change(
                tiles.firstLoad,
                .memory(.read(RowAddress(bank: 0, row: 1), Stream(.east, 0)), .none))
        }
        #expect(broken == [.provenance, .coverage])
    }

    @Test func tandemTakesLowAndHighBytes() {
        var sketch = Sketch()
        let w = sketch.builder.image(
            "w", type: .fp16, count: 16, .constant(bits: 0x3c00, vectors: 0..<16, lanes: all))
        let a = sketch.builder.image(
            "a", type: .fp16, count: 2, .constant(bits: 0x3c00, vectors: 0..<2, lanes: all))
        _ = sketch.builder.matmul([MatmulTerm(a[0], Tile([w[0]], count: 16))], count: 2)
        sketch.load(w, plane: 0, first: 0, row: 0, arriving: 30, columns: 1)
        sketch.load(w, plane: 1, first: 0, row: 0, arriving: 30, columns: 1, stream: 16, slice: 16)
        let load = sketch.at(
            30, .loadWeights(.east, plane: 0), .loadWeights(column: 0, tandem: true))
        sketch.at(33, .matmul(.east, plane: 0), .install(tandem: true))
        for plane in 0..<2 {
            sketch.hold(a, plane: plane, .east, 36 + plane, rows: 2)
            sketch.read(
                40 - 3, .east, 36 + plane, Stream(.east, plane), count: 2, distance: 2)
        }
        let matmul = sketch.at(
            40, .matmul(.east, plane: 0), .matmul(activation: east0, .fp16), count: 2, distance: 2)
        sketch.at(
            62, .accumulate(.east, plane: 0), .accumulate(row: 0, add: false, emit: west0),
            count: 2, distance: 2)
        #expect(sketch.judged().violations == [])
        let halves = sketch.broken {
            $0.change(load, .loadWeights(column: 0, tandem: false))
        }
        #expect(halves == [.provenance, .coverage])
        let asBytes = sketch.broken { $0.change(matmul, .matmul(activation: east0, .fp8)) }
        #expect(asBytes == [.provenance, .coverage])
    }

    @Test func rowsBeyondTheTileAreZeroByTheFormula() {
        func sketch(_ count: Int, vectors: Range<Int>) -> Sketch {
            var sketch = Sketch()
            let w = sketch.builder.image(
                "w", type: .fp8, count: 16, .constant(bits: 0x38, vectors: vectors, lanes: all))
            let a = sketch.builder.image(
                "a", type: .fp8, count: 1, .constant(bits: 0x38, vectors: 0..<1, lanes: all))
            _ = sketch.builder.matmul([MatmulTerm(a[0], Tile([w[0]], count: count))], count: 1)
            sketch.load(w, first: 0, row: 0, arriving: 30, columns: 1)
            sketch.at(30, .loadWeights(.east, plane: 0), sketch.columns)
            sketch.at(33, .matmul(.east, plane: 0), .install(tandem: false))
            sketch.hold(a, .east, 20, rows: 1)
            sketch.read(33, .east, 20, Stream(.east, 16))
            sketch.at(40, .matmul(.east, plane: 0), .matmul(activation: Stream(.east, 16), .fp8))
            sketch.at(
                62, .accumulate(.east, plane: 0), .accumulate(row: 0, add: false, emit: west0))
            return sketch
        }
        #expect(sketch(10, vectors: 0..<10).broken() == [])
        #expect(sketch(10, vectors: 0..<11).broken() == [.provenance, .coverage])
    }
}

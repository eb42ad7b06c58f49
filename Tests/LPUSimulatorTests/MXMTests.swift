import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSimulator
import LPUSupport
import Testing

/// A bench with weights and activations of plane 0 (and 1) east.
struct PlaneBench {
    var bench: Bench
    let edge: Int

    init(_ machine: Machine) {
        bench = Bench(machine)
        edge = bench.chip.edge
    }

    init() throws { self.init(try #require(Machine.preset(named: "groqchip1"))) }

    /// Byte planes of small exact values that differ from lane to lane and from seed to seed.
    func vector(_ type: ElementType, _ seed: Int) -> [[UInt8]] {
        let values = (0..<bench.chip.lanes).map { ($0 * 3 + $0 / 16 + seed * 5) % 17 - 8 }
        return type.narrow(
            values.map {
                type.widened == .fp32
                    ? (Float($0) / 4).bitPattern : UInt32(bitPattern: Int32($0))
            })
    }

    /// Loads a column of vectors with seeds 16 column + s + `seed`.
    mutating func load(
        _ type: ElementType, column: Int, at cycle: Int, plane: Int = 0, seed: Int = 0
    ) throws {
        let streams = bench.chip.weightStreamsPerPlane
        for s in 0..<streams {
            for (byte, bytes) in vector(type, seed + streams * column + s).enumerated() {
                bench.feed(
                    bytes, Stream(.east, streams * (plane + byte) + s), at: edge, cycle)
            }
        }
        bench.add(
            .loadWeights(.east, plane: plane), at: cycle,
            .loadWeights(column: Int16(column), tandem: type == .fp16))
    }

    mutating func install(at cycle: Int, tandem: Bool = false, plane: Int = 0) {
        bench.add(.matmul(.east, plane: plane), at: cycle, .install(tandem: tandem))
    }

    /// A matmul of the activation with that seed.
    mutating func matmul(_ type: ElementType, _ seed: Int, at cycle: Int, plane: Int = 0) throws {
        for (byte, bytes) in vector(type, seed).enumerated() {
            bench.feed(bytes, Stream(.east, 30 + byte), at: edge, cycle)
        }
        bench.add(
            .matmul(.east, plane: plane), at: cycle,
            .matmul(activation: try s("s30e"), type))
    }

    mutating func accumulate(
        at cycle: Int, row: Int = 0, add: Bool = false, emit: Bool = true, plane: Int = 0
    ) throws -> [Bench.Place] {
        let stream = try s("s8w")
        bench.add(
            .accumulate(.east, plane: plane), at: cycle,
            .accumulate(row: Int16(row), add: add, emit: emit ? stream : nil))
        guard emit else { return [] }
        return (0..<4).map { bench.keep(stream.advanced(by: $0), from: edge, cycle + 40) }
    }

    /// The sums as the contract defines them, of rows whose columns were loaded.
    func sums(_ type: ElementType, _ activation: Int, columns: [Int], seed: Int = 0) -> [UInt32] {
        let a = type.widen(vector(type, activation))
        return (0..<bench.chip.planeRows).map { row -> UInt32 in
            guard columns.contains(row / bench.chip.weightStreamsPerPlane) else { return 0 }
            let w = type.widen(vector(type, seed + row))
            if type.widened == .int32 {
                let products = zip(a, w).map { Int32(bitPattern: $0) * Int32(bitPattern: $1) }
                return UInt32(bitPattern: products.reduce(0, +))
            }
            let products = zip(a, w).map {
                Double(Float(bitPattern: $0)) * Double(Float(bitPattern: $1))
            }
            return Float(products.reduce(0, +)).bitPattern
        }
    }

    func words(_ places: [Bench.Place]) throws -> [UInt32] {
        let planes = try bench.run(places).map { try #require($0) }
        return ElementType.fp32.widen(planes)
    }
}

@Suite struct MXMTests {
    @Test(arguments: [ElementType.fp8, .int8, .fp16])
    func activationTimesTransposedWeights(type: ElementType) throws {
        var plane = try PlaneBench()
        try plane.load(type, column: 0, at: 100)
        try plane.load(type, column: 7, at: 101)
        plane.install(at: 104, tandem: type == .fp16)
        try plane.matmul(type, 3, at: 105)
        let places = try plane.accumulate(at: 127)
        let sums = try plane.words(places)
        #expect(sums == plane.sums(type, 3, columns: [0, 7]))
        #expect(sums[0] != 0 && sums[112] != 0 && sums[16] == 0)
    }

    @Test func aFullTileByRepeat() throws {
        var plane = try PlaneBench()
        for column in 0..<20 { try plane.load(.fp8, column: column, at: 100 + column) }
        plane.install(at: 122)
        try plane.matmul(.fp8, 9, at: 123)
        let places = try plane.accumulate(at: 145)
        #expect(try plane.words(places) == plane.sums(.fp8, 9, columns: Array(0..<20)))
    }

    /// Weights that rest in rows which a step writes are those of the step before.
    @Test(arguments: [ElementType.fp8, .fp16])
    func weightsAreThoseThatTheRowHolds(type: ElementType) throws {
        var plane = try PlaneBench()
        try plane.load(type, column: 0, at: 100)
        plane.install(at: 104, tandem: type == .fp16)
        try plane.matmul(type, 3, at: 105)
        let places = try plane.accumulate(at: 127)
        // The first vector was fed out of row 0 of the first slices, a slice a byte; of small
        // numbers in fp16 the high bytes tell all.
        let (stream, slice) = (try s("s20w"), type.byteCount - 1)
        let register = plane.bench.chip.register(ofSlice: slice, in: .west)
        plane.bench.feed(plane.vector(type, 99)[slice], stream, at: register, 300)
        plane.bench.add(.memory(.west, slice: slice), at: 300, .write(0, stream))
        let simulator = try plane.bench.simulator()
        let before = plane.sums(type, 3, columns: [0])
        var after = before
        after[0] = plane.sums(type, 3, columns: [0], seed: 99)[0]
        #expect(before[0] != after[0])
        for expected in [before, after, after] {
            _ = try simulator.step()
            let planes = try places.map { try #require(simulator.bytes($0)) }
            #expect(ElementType.fp32.widen(planes) == expected)
        }
    }

    @Test func anInstallTakesWhatArrivedThreeCyclesBefore() throws {
        var plane = try PlaneBench()
        try plane.load(.fp8, column: 0, at: 100)
        try plane.load(.fp8, column: 1, at: 101)
        plane.install(at: 103)
        try plane.matmul(.fp8, 3, at: 104)
        let first = try plane.accumulate(at: 126)
        plane.install(at: 110)
        try plane.matmul(.fp8, 4, at: 111)
        let second = try plane.accumulate(at: 133)
        #expect(try plane.words(first) == plane.sums(.fp8, 3, columns: [0]))
        #expect(try plane.words(second) == plane.sums(.fp8, 4, columns: [1]))
    }

    @Test func sumsAreKeptAndAddedInOrder() throws {
        var plane = try PlaneBench()
        try plane.load(.fp8, column: 2, at: 100)
        plane.install(at: 103)
        for k in 0..<3 { try plane.matmul(.fp8, k, at: 104 + k) }
        _ = try plane.accumulate(at: 126, row: 5, emit: false)
        let alone = try plane.accumulate(at: 127, row: 6)
        let both = try plane.accumulate(at: 128, row: 5, add: true)
        let (a, b) = (plane.sums(.fp8, 0, columns: [2]), plane.sums(.fp8, 2, columns: [2]))
        let sum = zip(a, b).map { (Float(bitPattern: $0) + Float(bitPattern: $1)).bitPattern }
        #expect(try plane.words(both) == sum)
        #expect(try plane.words(alone) == plane.sums(.fp8, 1, columns: [2]))
    }

    @Test func planesOfASideAreApart() throws {
        var plane = try PlaneBench()
        try plane.load(.fp8, column: 0, at: 100)
        try plane.load(.int8, column: 0, at: 100, plane: 1, seed: 50)
        plane.install(at: 103)
        plane.install(at: 103, plane: 1)
        try plane.matmul(.fp8, 1, at: 104)
        try plane.matmul(.int8, 2, at: 106, plane: 1)
        let even = try plane.accumulate(at: 126)
        let odd = try plane.accumulate(at: 128, plane: 1)
        #expect(try plane.words(even) == plane.sums(.fp8, 1, columns: [0]))
        #expect(try plane.words(odd) == plane.sums(.int8, 2, columns: [0], seed: 50))
    }

    /// The second load of a row in `second`, the install that takes the first in 104.
    @Test(arguments: [101, 102, 103, 105]) func aRowBuffersOneVector(second: Int) throws {
        var plane = try PlaneBench()
        try plane.load(.fp8, column: 3, at: 100)
        try plane.load(.fp8, column: 3, at: second, seed: 7)
        plane.install(at: 104)
        plane.install(at: 110)
        try plane.matmul(.fp8, 1, at: 111)
        let places = try plane.accumulate(at: 133)
        if second < 102 {
            let fault = try plane.bench.fault()
            #expect(fault.law == .mxmWeights && fault.cycle == Cycle(103))
            #expect(fault.unit == .loadWeights(.east, plane: 0))
        } else {
            #expect(try plane.words(places) == plane.sums(.fp8, 1, columns: [3], seed: 7))
        }
    }

    @Test(arguments: [-1, 1]) func accumulateIsExact(off: Int) throws {
        var plane = try PlaneBench()
        try plane.load(.fp8, column: 0, at: 100)
        plane.install(at: 103)
        try plane.matmul(.fp8, 1, at: 104)
        _ = try plane.accumulate(at: 126 + off)
        let fault = try plane.bench.fault()
        #expect(fault.law == .mxmWeights && fault.unit == .accumulate(.east, plane: 0))
        #expect(fault.cycle == Cycle(min(126 + off, 126)))
    }

    @Test func aSumThatNobodyTakesFaults() throws {
        var plane = try PlaneBench()
        try plane.load(.fp8, column: 0, at: 100)
        plane.install(at: 103)
        try plane.matmul(.fp8, 1, at: 104)
        let fault = try plane.bench.fault()
        #expect(fault.law == .mxmWeights && fault.cycle == Cycle(126))
        #expect(fault.message == "no accumulate takes the sum of the matmul of @104")
    }

    @Test func weightsMustBeThere() throws {
        var none = try PlaneBench()
        try none.matmul(.fp8, 1, at: 104)
        #expect(try none.bench.fault().message == "no weights are installed")
        var empty = try PlaneBench()
        try empty.load(.fp8, column: 0, at: 100)
        empty.install(at: 102)
        #expect(try empty.bench.fault().message == "no weights arrived up to @99")
        var other = try PlaneBench()
        try other.load(.fp8, column: 0, at: 100)
        other.install(at: 103)
        try other.matmul(.fp16, 1, at: 104)
        #expect(try other.bench.fault().message == "a tandem matmul finds weights of one byte")
        var mixed = try PlaneBench()
        try mixed.load(.fp16, column: 0, at: 100)
        mixed.install(at: 103)
        #expect(try mixed.bench.fault().message == "an install takes the tandem load of @100")
        var column = try PlaneBench()
        column.bench.add(
            .loadWeights(.east, plane: 0), at: 50, .loadWeights(column: 20, tandem: false))
        #expect(try column.bench.fault().law == .addressRange)
    }

    @Test func tandemMatmulsComeEveryTwoCycles() throws {
        func two(_ gap: Int) throws -> (PlaneBench, [Bench.Place]) {
            var plane = try PlaneBench()
            try plane.load(.fp16, column: 0, at: 100)
            plane.install(at: 103, tandem: true)
            try plane.matmul(.fp16, 1, at: 104)
            try plane.matmul(.fp16, 2, at: 104 + gap)
            _ = try plane.accumulate(at: 126, row: 1, emit: false)
            let places = try plane.accumulate(at: 126 + gap, row: 2)
            return (plane, places)
        }
        let (plane, places) = try two(2)
        #expect(try plane.words(places) == plane.sums(.fp16, 2, columns: [0]))
        let fault = try two(1).0.bench.fault()
        #expect(fault.law == .mxmWeights && fault.cycle == Cycle(105))
    }

    @Test func tandemHoldsBothPlanes() throws {
        var install = try PlaneBench()
        try install.load(.fp16, column: 0, at: 100)
        try install.load(.fp16, column: 1, at: 101)
        install.install(at: 103, tandem: true)
        try install.matmul(.fp16, 1, at: 104)
        install.install(at: 105, tandem: true)
        #expect(try install.bench.fault().message == "plane 0 is busy before @106")

        var odd = try PlaneBench()
        try odd.load(.fp16, column: 0, at: 100)
        odd.install(at: 103, tandem: true)
        try odd.matmul(.fp16, 1, at: 104)
        odd.install(at: 104, plane: 1)
        #expect(try odd.bench.fault().message == "plane 1 is busy before @106")

        var load = try PlaneBench()
        try load.load(.fp16, column: 0, at: 100)
        load.bench.add(
            .loadWeights(.east, plane: 1), at: 100, .loadWeights(column: 1, tandem: false))
        #expect(try load.bench.fault().unit == .loadWeights(.east, plane: 1))

        var replaced = try PlaneBench()
        try replaced.load(.fp16, column: 0, at: 100)
        replaced.install(at: 103, tandem: true)
        try replaced.load(.fp8, column: 0, at: 104, plane: 1)
        replaced.install(at: 107, plane: 1)
        try replaced.matmul(.fp16, 1, at: 108)
        #expect(
            try replaced.bench.fault().message == "the pair's odd plane has other weights by now")
    }

    @Test func accumulatorRows() throws {
        func add(row: Int, _ type: ElementType) throws -> Fault {
            var plane = try PlaneBench()
            try plane.load(.fp8, column: 0, at: 100)
            plane.install(at: 103)
            try plane.matmul(.fp8, 1, at: 104)
            try plane.matmul(type, 1, at: 105)
            _ = try plane.accumulate(at: 126, row: 0, emit: false)
            _ = try plane.accumulate(at: 127, row: row, add: true, emit: false)
            return try plane.bench.fault()
        }
        #expect(try add(row: 1, .fp8).message.hasSuffix("row 1, which holds nothing"))
        #expect(try add(row: 0, .int8).message.hasSuffix("row 0, which holds fp32"))
        #expect(try add(row: 128, .fp8).message.hasSuffix("the plane has 128"))
    }

    @Test func theAccumulatorIsEmptyInEveryStep() throws {
        var plane = try PlaneBench()
        try plane.load(.fp8, column: 0, at: 100)
        plane.install(at: 103)
        try plane.matmul(.fp8, 1, at: 104)
        _ = try plane.accumulate(at: 126, row: 0)
        let simulator = try plane.bench.simulator()
        let first = try simulator.step().statistics
        #expect(try simulator.step().statistics == first)
        #expect(first.multiplyAccumulates == 320 * 320)
    }

    @Test func installsKeepTheirCadence() throws {
        var machine = try #require(Machine.preset(named: "groqchip1"))
        machine.chip.installCadence = 30
        var plane = PlaneBench(machine)
        for cycle in [100, 110] { try plane.load(.fp8, column: 0, at: cycle) }
        plane.install(at: 103)
        plane.install(at: 132)
        let fault = try plane.bench.fault()
        #expect(fault.law == .mxmWeights && fault.cycle == Cycle(132))
    }
}

import LPUDataflow
import LPULoading
import LPUMachine
import LPUModel
import LPUNumerics
import LPUSchedule
import LPUSupport
import Testing

@Suite struct MemoryImageTests {
    let machine: Machine
    init() throws { machine = try Fixture.machine() }

    /// Every element of every tensor lies in SRAM exactly where the formulas say.
    @Test(arguments: [ElementType.fp8, .int8, .fp16])
    func unpackedIsQuantised(type: ElementType) throws {
        let program = try Fixture.program(type)
        let schedule = Shelf.schedule(program, on: machine)
        let image = try MemoryImage(program, schedule, on: machine, weights: Fixture.source)
        for quantisation in Fixture.quantisations(type) {
            let shape = try #require(Fixture.source.shape(of: quantisation.tensor))
            let unpacked = try image.unpack(
                quantisation, shape: shape, program, schedule, on: machine)
            let elements = try quantisation.elements(of: Fixture.source)
            try #require(elements.count == shape.reduce(1, *))
            try #require(unpacked == elements.map { $0 }, "\(quantisation.tensor)")
        }
    }

    /// Rows as the schedule's own functions name them hold the bytes of their value's vectors.
    @Test func everyRowHoldsItsVector() throws {
        let program = try Fixture.program(.fp8)
        let schedule = Shelf.schedule(program, on: machine)
        let image = try MemoryImage(program, schedule, on: machine, weights: Fixture.source)
        var rows: [[Int]: ArraySlice<UInt8>] = [:]
        for block in image.blocks {
            for r in 0..<block.rows {
                let key = [
                    block.chip.index, Int(block.hemisphere.rawValue), block.slice, block.bank,
                    block.row + r,
                ]
                let start = block.offset + r * Fixture.lanes
                #expect(rows.updateValue(image.bytes[start..<start + 32], forKey: key) == nil)
            }
        }
        var source = ImageBytes(program, weights: Fixture.source)
        var seen = Set<[Int]>()
        for (i, placement) in schedule.placements.enumerated() {
            let template = schedule.templates[placement.template]
            for (chip, member) in zip(placement.chips, template.chips) {
                for allocation in member.allocations {
                    let values = program.templates[placement.template].values
                    // The parameter is the table of instance 0.
                    let isTable = values[allocation.value.index].origin == .parameter
                    let bytes = try source.bytes(
                        of: isTable ? ValueID(0) : allocation.value, in: isTable ? 0 : i)
                    let planes = values[allocation.value.index].type.byteCount
                    let base = try #require(placement.resolve(allocation.base))
                    let (bank, row) = (Int(base.bank), Int(base.row))
                    for r in 0..<Int(allocation.rows) {
                        let key = [
                            chip.index, Int(allocation.hemisphere.rawValue),
                            Int(allocation.slice), bank, row + r,
                        ]
                        let plane = allocation.vector(ofRow: r) * planes + Int(allocation.plane)
                        try #require(rows[key] == bytes[32 * plane..<32 * plane + 32])
                        seen.insert(key)
                    }
                }
            }
        }
        #expect(seen.count == rows.count)
    }

    @Test func blocksAreSortedAndApart() throws {
        let program = try Fixture.program(.int8)
        let schedule = Shelf.schedule(program, on: machine)
        let image = try MemoryImage(program, schedule, on: machine, weights: Fixture.source)
        #expect(image.blocks.count > 20)
        for (a, b) in zip(image.blocks, image.blocks.dropFirst()) {
            let (x, y) = (
                (a.chip, a.hemisphere, a.slice, a.bank), (b.chip, b.hemisphere, b.slice, b.bank)
            )
            // Rows side by side would be one block.
            try #require(x < y || x == y && a.row + a.rows < b.row)
            try #require(b.offset == a.offset + a.rows * Fixture.lanes)
        }
        let rows = image.blocks.reduce(0) { $0 + $1.rows }
        #expect(image.bytes.count == rows * Fixture.lanes)
    }

    @Test func unpackFindsWhatWasMovedOrLost() throws {
        let program = try Fixture.program(.fp8)
        let schedule = Shelf.schedule(program, on: machine)
        let image = try MemoryImage(program, schedule, on: machine, weights: Fixture.source)
        let table = Quantisation("embed.weight", type: .fp16)
        let down = Quantisation("layers.1.down_proj.weight", type: .fp8)
        let unpack = { (image: MemoryImage, schedule: Schedule, quantisation: Quantisation) in
            let shape = try #require(Fixture.source.shape(of: quantisation.tensor))
            return try image.unpack(quantisation, shape: shape, program, schedule, on: machine)
        }
        // One of the table's two copies changes.
        var changed = image
        changed.bytes[0] ^= 1
        let copies = #expect(throws: DiagnosticSet.self) { try unpack(changed, schedule, table) }
        #expect(copies?.diagnostics.map(\.id) == ["image-copies"])
        // A block is missing.
        var cut = image
        cut.blocks.removeFirst()
        let rows = #expect(throws: DiagnosticSet.self) { try unpack(cut, schedule, table) }
        #expect(rows?.diagnostics.map(\.id) == ["image-rows"])
        // A byte of the last layer's weights changes, which has no copy.
        let elements = try unpack(image, schedule, down)
        var other = image
        for i in other.bytes.indices { other.bytes[i] ^= 0x80 }
        #expect(try unpack(other, schedule, down) == elements.map { $0.map { $0 ^ 0x80 } })
        // The schedule drops the rows of the second chip's columns.
        var partial = schedule
        partial.templates[1].chips[1].allocations.removeAll { $0.value == ValueID(7) }
        let found = try unpack(image, partial, down)
        #expect(found.indices.allSatisfy { (found[$0] == nil) == ($0 % 64 >= 32) })
    }

    /// What is broken in a schedule, and what it is then refused for.
    static let broken: [(id: String, change: @Sendable (inout Schedule) -> Void)] = [
        ("image-machine", { $0.machine = "other" }),
        ("image-placement", { $0.placements[1].template = 2 }),
        ("image-placement", { $0.placements[1].template = -1 }),
        ("image-placement", { $0.placements[1].chips.removeLast() }),
        ("image-placement", { $0.placements[1].chips[1] = ChipID(1 << 20) }),
        ("image-placement", { $0.placements[1].valueBase = .max }),
        ("image-value", { $0.placements[2].valueBase = 1_000 }),
        ("image-value", { $0.placements[1].chips[1] = ChipID(2) }),
        ("image-value", { $0.placements[1].valueBase += 1 }),
        ("image-rows", { $0.placements[1].slots = [] }),
        ("image-rows", { $0.placements[1].slots[0].rows = .max }),
        ("image-rows", { $0.placements[1].slots[0].rows = -1_000 }),
        ("image-rows", { $0.templates[1].chips[0].allocations[0].base.bank = 200 }),
        ("image-rows", { $0.templates[1].chips[0].allocations[0].slice = 200 }),
        ("image-rows", { $0.templates[1].chips[0].allocations[0].rows = .max }),
        ("image-rows", { $0.templates[1].chips[0].allocations[0].rows = 0 }),
        ("image-rows", { $0.templates[1].chips[0].allocations[0].plane = 1 }),
        ("image-rows", { $0.templates[1].chips[0].allocations[0].run = 0 }),
        ("image-rows", { $0.templates[1].chips[0].allocations[0].first = -1 }),
        ("image-rows", { $0.templates[1].chips[0].allocations[0].outerStride = .max }),
        ("image-overlap", { $0.placements[2].slots[0] = $0.placements[1].slots[0] }),
        ("image-overlap", { $0.templates[1].chips[0].allocations[1].slice = 0 }),
    ]

    @Test(arguments: broken.indices)
    func brokenSchedulesAreRefused(index: Int) throws {
        let (id, change) = Self.broken[index]
        let program = try Fixture.program(.fp8)
        var schedule = Shelf.schedule(program, on: machine)
        change(&schedule)
        let error = #expect(throws: DiagnosticSet.self) {
            try MemoryImage(program, schedule, on: machine, weights: Fixture.source)
        }
        #expect(error?.diagnostics.contains { $0.id == id } == true)
    }

    @Test func wrongWeightsAreRefused() throws {
        let program = try Fixture.program(.fp8)
        let schedule = Shelf.schedule(program, on: machine)
        var tensors = Fixture.weights
        tensors[0].shape = [39, 48]
        let error = #expect(throws: DiagnosticSet.self) {
            try MemoryImage(program, schedule, on: machine, weights: HashedWeights(tensors))
        }
        #expect(error?.diagnostics.map(\.id) == ["weights-shape"])
        #expect(error?.description.contains("0..<40") == true)
    }
}

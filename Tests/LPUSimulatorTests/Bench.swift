import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSimulator
import LPUSupport
import Testing

/// Puts hand-written schedules together: instructions on units, vectors at registers.
struct Bench {
    let machine: Machine
    var chip: Chip { machine.chip }
    var laneMaps: [[Int16]] = []
    var ingress: [ChipID: [[UInt8]]] = [:]
    private var bursts: [[Burst]]
    private var image = MemoryImage()
    private var fed = 0
    private var kept = 0

    /// Where a vector was kept.
    struct Place {
        var chip: Int
        var hemisphere: Hemisphere
        var slice: Int
        var row: Int
    }

    init(_ name: String = "groqchip1") throws {
        machine = try #require(Machine.preset(named: name))
        bursts = Array(repeating: [], count: machine.chipCount)
    }

    init(_ machine: Machine) {
        self.machine = machine
        bursts = Array(repeating: [], count: machine.chipCount)
    }

    /// A vector of bytes that tells vectors and lanes apart.
    func pattern(_ seed: Int) -> [UInt8] {
        (0..<chip.lanes).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 / 256 * 3 + seed * 31) }
    }

    mutating func add(
        _ unit: Unit, at cycle: Int, _ instruction: Instruction, inner: Repeat = .once,
        outer: Repeat = .once, on index: Int = 0
    ) {
        bursts[index].append(
            Burst(
                start: Cycle(cycle), queue: chip.queue(of: unit), instruction, inner: inner,
                outer: outer))
    }

    /// Lays a vector into SRAM before cycle 0.
    mutating func rest(
        _ bytes: [UInt8], row: Int, bank: Int = 0, slice: Int, _ hemisphere: Hemisphere,
        on index: Int = 0
    ) {
        image.blocks.append(
            MemoryImage.Block(
                chip: ChipID(index), hemisphere: hemisphere, slice: slice, bank: bank, row: row,
                rows: 1, offset: image.bytes.count))
        image.bytes += bytes
    }

    /// Lets a vector be on `stream` at `register` in `cycle`, out of a slice upstream of the VXM.
    mutating func feed(
        _ bytes: [UInt8], _ stream: Stream, at register: Int, _ cycle: Int,
        on index: Int = 0
    ) {
        let slices = chip.memSlicesPerHemisphere
        let (slice, row) = (fed % slices, fed / slices)
        fed += 1
        let hemisphere: Hemisphere = stream.direction == .east ? .west : .east
        let distance = abs(register - chip.register(ofSlice: slice, in: hemisphere))
        rest(bytes, row: row, slice: slice, hemisphere, on: index)
        add(
            .memory(hemisphere, slice: slice), at: cycle - distance - chip.readLatency,
            .read(row, stream), on: index)
    }

    /// Writes what passes `register` on `stream` in `cycle` into a slice further on.
    mutating func keep(
        _ stream: Stream, from register: Int, _ cycle: Int, on index: Int = 0
    ) -> Place {
        let sign = stream.direction.sign
        var further = 1 + kept % 32 / 4
        if (register < 0) != (register + sign * further < 0) || register + sign * further == 0 {
            further += 1
        }
        let at = register + sign * further
        let hemisphere: Hemisphere = at < 0 ? .west : .east
        let slice = (abs(at) - 1) * chip.memSlicesPerGroup + kept % 4
        let row = 1000 + kept
        kept += 1
        add(
            .memory(hemisphere, slice: slice), at: cycle + further,
            .write(row, stream, bank: 1), on: index)
        return Place(chip: index, hemisphere: hemisphere, slice: slice, row: row)
    }

    func schedule() -> Schedule {
        let template = ScheduleTemplate(
            name: "bench",
            chips: bursts.map {
                ChipProgram(bursts: $0.sorted { ($0.queue, $0.start) < ($1.queue, $1.start) })
            })
        return Schedule(
            machine: machine.name, program: "", laneMaps: laneMaps, templates: [template],
            placements: [
                Placement(
                    template: 0, start: Cycle(0), chips: machine.chipIDs)
            ], claims: Claims(length: CycleCount(0), burstCount: 0, issueCount: 0))
    }

    func simulator(threads: Int = 1, probes: [Probe] = []) throws -> Simulator {
        try Simulator(
            machine: machine, schedule: schedule(), image: image, threads: threads, probes: probes)
    }

    /// Runs one step; gives the bytes of the places.
    func run(_ places: [Place] = []) throws -> [[UInt8]?] {
        let simulator = try simulator()
        _ = try simulator.step(ingress: ingress)
        return places.map { simulator.bytes($0) }
    }

    /// Runs one step that must fault.
    func fault(threads: Int = 1) throws -> Fault {
        let simulator = try simulator(threads: threads)
        let ingress = ingress
        return try #require(throws: Fault.self) { try simulator.step(ingress: ingress) }
    }
}

extension Simulator {
    func bytes(_ place: Bench.Place) -> [UInt8]? {
        row(
            place.row, bank: 1, slice: place.slice, place.hemisphere, of: ChipID(place.chip))
    }
}

extension Machine {
    var chipIDs: [ChipID] { (0..<chipCount).map { ChipID($0) } }
}

extension Instruction {
    static func read(_ row: Int, _ stream: Stream, bank: Int = 0) -> Instruction {
        .memory(.read(RowAddress(bank: bank, row: row), stream), .none)
    }
    static func write(_ row: Int, _ stream: Stream, bank: Int = 0) -> Instruction {
        .memory(.none, .write(RowAddress(bank: bank, row: row), stream))
    }
}

/// `s12e`: as the text forms spell streams.
func s(_ name: String) throws -> Stream {
    let match = try #require(name.wholeMatch(of: /s(\d+)([ew])/))
    return Stream(match.2 == "e" ? .east : .west, try #require(Int(match.1)))
}

import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// Weights that products take, row by row decoded when they have changed.
final class DecodedTile {
    var tile: WeightTile
    /// Of each vector, low bytes before high ones, which write it was decoded from; 0 for none.
    private var versions: [Int]

    init(_ chip: Chip, _ type: ElementType) {
        tile = WeightTile(type: type, rowCount: chip.planeRows, laneCount: chip.lanes)
        versions = Array(repeating: 0, count: 2 * chip.planeRows)
    }

    func removeAll(_ type: ElementType) {
        tile.removeAll(type: type)
        for i in versions.indices { versions[i] = 0 }
    }

    /// Notes what vector `i` is to be decoded from, and tells whether it was not yet.
    func takes(_ version: Int, at i: Int) -> Bool {
        if version != 0 && versions[i] == version { return false }
        versions[i] = version
        return true
    }
}

/// The words of an MXM plane that its trace names, and its weights.
struct PlaneWords {
    /// Sums under way, `lanes` words each.
    let sums: UnsafeMutableBufferPointer<UInt32>
    let accumulator: UnsafeMutableBufferPointer<UInt32>
    var tile: DecodedTile?
    /// For weights that are not kept.
    var scratch: DecodedTile?

    init(_ chip: Chip, accumulatorRows: Int) {
        sums = .allocate(capacity: chip.sumDepth * chip.lanes)
        accumulator = .allocate(capacity: accumulatorRows * chip.lanes)
        sums.initialize(repeating: 0)
        accumulator.initialize(repeating: 0)
    }

    func deallocate() {
        sums.deallocate()
        accumulator.deallocate()
    }
}

/// The bytes of one chip, and what its trace does to them.
final class Datapath {
    let id: ChipID
    let chip: Chip
    let memory: ChipMemory
    private(set) var laneMaps: [[Int16]] = []
    private(set) var trace: Trace
    /// The memory image's bytes; valid during a step.
    @exclusivity(unchecked) var image: UnsafePointer<UInt8>?
    /// `lanes` bytes a slot.
    private var slots: UnsafeMutableBufferPointer<UInt8>
    /// Of each SRAM row that has a slot, the superlanes that were ever written: bit s is
    /// superlane s.
    @exclusivity(unchecked) var written: [UInt64]
    @exclusivity(unchecked) var recentWrites = RecentWrites()
    /// Of each slot, which write its bytes are from; kept up for SRAM rows and copies of them.
    @exclusivity(unchecked) var versions: [Int]
    @exclusivity(unchecked) private var writes = 1
    @exclusivity(unchecked) var planes: [PlaneWords] = []
    /// Tiles of the trace that are kept decoded, and the bytes left for more of them.
    @exclusivity(unchecked) var tiles: [DecodedTile?] = []
    @exclusivity(unchecked) var tileBytes: Int
    private let tileCapacity: Int
    /// Results of the ALUs, then two operands.
    let words: UnsafeMutableBufferPointer<UInt32>
    /// Byte planes of what an operation reads and writes.
    private let inputs: UnsafeMutableBufferPointer<UnsafePointer<UInt8>>
    private let outputs: UnsafeMutableBufferPointer<UnsafeMutablePointer<UInt8>>
    @exclusivity(unchecked) var ingress: [[UInt8]] = []
    @exclusivity(unchecked) private(set) var taken = 0
    @exclusivity(unchecked) private(set) var egress: [Egress] = []
    /// The bytes that were sent since chips last exchanged vectors.
    @exclusivity(unchecked) var outbox: [UInt8] = []
    /// The words that were looked at in this step.
    @exclusivity(unchecked) private(set) var observed: [ProbePlace: [UInt32]] = [:]
    /// Why the chip stopped.
    @exclusivity(unchecked) private(set) var fault: Fault?

    /// - Parameter tileBytes: about what the chip's decoded tiles may take.
    init(id: ChipID, chip: Chip, memory: ChipMemory, tileBytes: Int) {
        self.id = id
        self.chip = chip
        self.memory = memory
        self.tileBytes = tileBytes
        tileCapacity = tileBytes
        trace = Trace(planes: 0)
        slots = .allocate(capacity: memory.slotCount * chip.lanes)
        slots.initialize(repeating: 0)
        written = Array(repeating: 0, count: memory.slotCount)
        versions = Array(repeating: writes, count: memory.slotCount)
        words = .allocate(capacity: (chip.aluCount * chip.resultDepth + 2) * chip.lanes)
        words.initialize(repeating: 0)
        let most = max(chip.lanesPerSuperlane, ElementType.fp32.byteCount)
        inputs = .allocate(capacity: most)
        outputs = .allocate(capacity: most)
    }

    deinit {
        for plane in planes { plane.deallocate() }
        slots.deallocate()
        words.deallocate()
        inputs.deallocate()
        outputs.deallocate()
    }

    /// All superlanes of a row.
    var whole: UInt64 { .max >> UInt64(64 - chip.superlanes) }

    /// Fills the slot of an SRAM row.
    func setRow(_ slot: Vector, to bytes: UnsafePointer<UInt8>) {
        self.bytes(of: slot).update(from: bytes, count: chip.lanes)
        note(write: whole, to: slot)
    }

    /// Notes that superlanes of a row's slot were written.
    @inline(__always) func note(write superlanes: UInt64, to slot: Vector) {
        writes += 1
        versions[Int(slot.raw)] = writes
        written[Int(slot.raw)] |= superlanes
    }

    /// Takes the trace that the next steps run, and the lane maps that it names.
    func open(_ trace: Trace, laneMaps: [[Int16]]) {
        self.trace = trace
        self.laneMaps = laneMaps
        if trace.slotCount > versions.count {
            let all = UnsafeMutableBufferPointer<UInt8>.allocate(
                capacity: trace.slotCount * chip.lanes)
            all.initialize(repeating: 0)
            for i in slots.indices { all[i] = slots[i] }
            slots.deallocate()
            slots = all
            versions += repeatElement(writes, count: trace.slotCount - versions.count)
        }
        tiles = Array(repeating: nil, count: trace.tiles.count)
        tileBytes = tileCapacity
        for plane in planes { plane.deallocate() }
        planes = trace.accumulatorRows.map { PlaneWords(chip, accumulatorRows: $0) }
    }

    /// Stands before cycle 0; SRAM is as it was left.
    func reset(ingress: [[UInt8]]) {
        self.ingress = ingress
        taken = 0
        egress = []
        observed.removeAll(keepingCapacity: true)
        fault = nil
        recentWrites = RecentWrites()
        outbox.removeAll(keepingCapacity: true)
    }

    /// Runs the operations in the range, or up to a fault, which it keeps.
    func tryRun(_ range: Range<Int>) {
        do { try run(range) } catch { fault = error }
    }

    private func run(_ range: Range<Int>) throws(Fault) {
        for i in range {
            let traced = trace.operations[i]
            let issue = Issue(queue: Int(traced.queue), cycle: Int(traced.cycle))
            switch traced.operation {
            case .load(let row, let to): try load(row, to, issue)
            case .store(let vector, let row): store(vector, row, issue)
            case .gather(let window, let address, let step, let to):
                try gather(window, address, Int(step), to, issue)
            case .scatter(let window, let address, let step, let vector):
                try scatter(window, address, Int(step), vector, issue)
            case .decode(let tile, let plane, let rows):
                decode(Int(tile), plane: Int(plane), rows: rows)
            case .multiply(let activation, let plane, let sum):
                multiply(activation, plane: Int(plane), sum: Int(sum))
            case .accumulate(let plane, let sum, let row, let operation, let emit):
                accumulate(plane: Int(plane), sum: Int(sum), row: Int(row), operation, emit)
            case .alu(let operation, let a, let b, let result, let type, let emit):
                calculate(operation, a, b, result: Int(result), type, emit)
            case .observe(let result):
                let first = Int(result) * chip.lanes
                observed[ProbePlace(queue: traced.queue, cycle: traced.cycle)] =
                    Array(words[first..<first + chip.lanes])
            case .distribute(let from, let to, let map): distribute(from, to, map)
            case .permute(let from, let to, let map): permute(from, to, map)
            case .shift(let from, let to, let by): shift(from, to, Int(by))
            case .rotate(let from, let to, let by): rotate(from, to, Int(by))
            case .select(let low, let high, let to, let boundary):
                select(low, high, to, Int(boundary))
            case .transpose(let from, let to): transpose(from, to)
            case .send(let vector):
                outbox += UnsafeBufferPointer(start: bytes(vector), count: chip.lanes)
            case .ingress(let to): try takeIngress(to, issue)
            case .egress(let vector):
                let bytes = UnsafeBufferPointer(start: bytes(vector), count: chip.lanes)
                egress.append(Egress(chip: id, cycle: Cycle(issue.cycle), bytes: Array(bytes)))
            }
        }
    }

    private func takeIngress(_ to: Vector, _ issue: Issue) throws(Fault) {
        guard taken < ingress.count else {
            throw fault(.operandTiming, issue, "ingress finds no vector, \(taken) were given")
        }
        let bytes = ingress[taken]
        guard bytes.count == chip.lanes else {
            throw fault(
                .operandTiming, issue,
                "ingress is given \(bytes.count) bytes, a vector has \(chip.lanes)")
        }
        taken += 1
        for (lane, byte) in bytes.enumerated() { self.bytes(of: to)[lane] = byte }
    }

    /// What is wrong at the end, in `cycle`: ingress vectors that nothing took.
    func surplus(in cycle: Int) -> Fault? {
        if taken == ingress.count { return nil }
        return fault(
            .operandTiming, Issue(queue: chip.queue(of: .host).index, cycle: cycle),
            "\(ingress.count) ingress vectors are given, \(taken) are taken")
    }

    func fault(_ law: Law, _ issue: Issue, _ message: String) -> Fault {
        Fault(law, chip: id, unit: chip.units[issue.queue], cycle: Cycle(issue.cycle), message)
    }
}

// MARK: Bytes

extension Datapath {
    /// The bytes of a vector; of an image row only during a step.
    @inline(__always) func bytes(_ vector: Vector) -> UnsafePointer<UInt8> {
        if vector.isSlot { return UnsafePointer(bytes(of: vector)) }
        guard let image else { preconditionFailure("an image row is read outside of a step") }
        return image + vector.imageRow * chip.lanes
    }

    /// The bytes of a slot, to be written.
    @inline(__always) func bytes(of slot: Vector) -> UnsafeMutablePointer<UInt8> {
        guard let base = slots.baseAddress else { preconditionFailure("a slot has an address") }
        return base + Int(slot.raw) * chip.lanes
    }

    /// The byte planes of an operand; valid until the next call.
    func planes(_ list: VectorList) -> UnsafeBufferPointer<UnsafePointer<UInt8>> {
        planes(trace.vectors[list.range])
    }

    func planes(
        _ vectors: some Collection<Vector>
    ) -> UnsafeBufferPointer<UnsafePointer<UInt8>> {
        var count = 0
        for vector in vectors {
            inputs[count] = bytes(vector)
            count += 1
        }
        return UnsafeBufferPointer(rebasing: inputs[..<count])
    }

    /// The byte planes of a result; valid until the next call.
    func planes(to list: VectorList) -> UnsafeBufferPointer<UnsafeMutablePointer<UInt8>> {
        for (k, i) in list.range.enumerated() { outputs[k] = bytes(of: trace.vectors[i]) }
        return UnsafeBufferPointer(rebasing: outputs[..<Int(list.count)])
    }
}

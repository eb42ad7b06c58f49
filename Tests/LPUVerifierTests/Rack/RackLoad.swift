import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// A lawful schedule with its program, of any size: layers of fp8 matmuls that keep all four
/// planes of every chip busy, dealt to stages; what they make goes on over links.
struct RackLoad {
    var places = 16
    var stages = 16
    var layersPerStage = 5
    /// Sums of a plane in a layer, and products of each.
    var sums = 25
    var products = 7

    let machine = Machine.preset(named: "lpx256")!
    var chip: Chip { machine.chip }
    var tiles: Int { sums * products }
    /// Activations: one a plane.
    let activations = 4
    /// Cycles from tile to tile, and the first tile's arrival at the edge.
    let period = 21
    let firstArrival = 40

    /// Rows that the weights of one layer take in a bank: tiles go round five groups of slices.
    var layerRows: Int { 20 * ((tiles + 4) / 5) }
    let activationRow = 4000
    let workingRow = 4100

    func chips(ofStage stage: Int) -> [ChipID] {
        (0..<places).map { ChipID(stage * 16 + $0) }
    }

    static let planes: [(side: Hemisphere, plane: Int)] = [
        (.west, 0), (.west, 1), (.east, 0), (.east, 1),
    ]

    /// Program and schedule; claims are counted.
    func made() -> (program: Program, schedule: Schedule) {
        var (program, schedule) = (
            Program(
                name: "rack", lanes: chip.lanes, lanesPerSuperlane: chip.lanesPerSuperlane,
                templates: [], instances: []),
            Schedule(
                machine: machine.name, program: "", templates: [], placements: [],
                claims: Claims(length: CycleCount(0), burstCount: 0, issueCount: 0))
        )
        let parts = [prologue(), layer(), handOver()]
        program.templates = parts.map(\.builder.template)
        schedule.templates = parts.map { ScheduleTemplate(name: $0.name, chips: $0.programs) }
        var start = 0
        var values = 0
        var ops = 0
        func place(_ index: Int, _ chips: [ChipID], slots: [SlotOffset] = []) {
            let arguments = parts[index].parameters.map { _, argument in
                Instance.Argument(
                    instance: program.instances.count - 1,
                    value: parts[lastPart].results[argument])
            }
            program.instances.append(Instance(template: index, chips: chips, arguments: arguments))
            schedule.placements.append(
                Placement(
                    template: index, start: Cycle(start), chips: chips, slots: slots, opBase: ops,
                    valueBase: values))
            start += parts[index].length
            values += program.templates[index].values.count
            ops += program.templates[index].ops.count
            lastPart = index
        }
        var lastPart = 0
        for stage in 0..<stages {
            let chips = chips(ofStage: stage)
            place(stage == 0 ? 0 : 2, stage == 0 ? chips : self.chips(ofStage: stage - 1) + chips)
            for layer in 0..<layersPerStage {
                place(1, chips, slots: [SlotOffset(rows: layer * layerRows)])
            }
        }
        schedule.program = program.digest
        schedule.claims = schedule.recomputedClaims(on: machine)
        return (program, schedule)
    }
}

/// A template under construction, in the program and in the schedule.
struct RackPart {
    let name: String
    let chip: Chip
    var builder: TemplateBuilder
    var programs: [ChipProgram]
    /// In the order of the parameters: which result of the instance before each is.
    var parameters: [(ValueID, Int)] = []
    /// Place by place, the activations that the next instance takes.
    var results: [ValueID] = []
    var length = 0
    private var busy: [[[Range<Int>]]]

    init(_ name: String, _ chip: Chip, places: Int) {
        self.name = name
        self.chip = chip
        builder = TemplateBuilder(
            name, chipCount: places, lanesPerSuperlane: chip.lanesPerSuperlane)
        programs = Array(repeating: ChipProgram(), count: places)
        busy = Array(repeating: Array(repeating: [], count: chip.queueCount), count: places)
    }

    mutating func at(
        _ start: Int, _ unit: Unit, _ instruction: Instruction, count: Int = 1, step: Int = 0,
        op: Int? = nil, place: Int
    ) {
        let queue = chip.queue(of: unit)
        programs[place].bursts.append(
            Burst(
                start: Cycle(start), queue: queue, instruction,
                inner: Repeat(count: count, distance: 1, step: step), op: op.map { OpID($0) }))
        busy[place][queue.index].append(start..<start + count)
        length = max(length, start + count + 2)
    }

    func isFree(_ unit: Unit, _ cycle: Int, place: Int) -> Bool {
        !busy[place][chip.queue(of: unit).index].contains { $0.contains(cycle) }
    }

    mutating func hold(
        _ value: ValueID, plane: Int = 0, _ side: Hemisphere, _ slice: Int, _ row: RowAddress,
        rows: Int = 1, first: Int = 0, run: Int = 1, inner: Int = 1, outer: Int = 0,
        from: Int = 0, to: Int? = nil, isImage: Bool = false, place: Int
    ) {
        programs[place].allocations.append(
            Allocation(
                value: value, plane: plane, hemisphere: side, slice: slice, base: row, rows: rows,
                first: first, run: run, innerStride: inner, outerStride: outer,
                live: Cycle(from)..<Cycle(to ?? Int(Int32.max)), isImage: isImage))
    }

    /// Ends what is live to the end with the template, and sorts.
    mutating func finish() {
        for place in programs.indices {
            for i in programs[place].allocations.indices
            where programs[place].allocations[i].live.upperBound.index == Int(Int32.max) {
                let from = programs[place].allocations[i].live.lowerBound
                programs[place].allocations[i].live = from..<Cycle(length)
            }
            programs[place].sort()
        }
    }
}

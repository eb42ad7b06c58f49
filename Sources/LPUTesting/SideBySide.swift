public import LPUDataflow
public import LPUMachine
import LPUNumerics
public import LPUSchedule
import LPUSimulator
public import LPUSupport

/// A schedule in the simulator beside its program in the interpreter, on the same bytes.
public struct SideBySide {
    private let program: Program
    private let schedule: Schedule
    private let simulator: Simulator
    private var interpreter: Interpreter

    /// - Parameter images: the bytes of each value of the program's template, none for values that
    ///   ops make.
    /// - Requires: the program has one template and one instance of it.
    /// - Throws: what the simulator or the interpreter refuses.
    public init(
        _ schedule: Schedule, of program: Program, on machine: Machine, images: [[UInt8]]
    ) throws(DiagnosticSet) {
        self.program = program
        self.schedule = schedule
        interpreter = try Interpreter(program) { _, value throws(DiagnosticSet) in
            images[value.index]
        }
        simulator = try Simulator(
            machine: machine, schedule: schedule,
            image: Self.memoryImage(schedule, program, images))
    }

    private static func memoryImage(
        _ schedule: Schedule, _ program: Program, _ images: [[UInt8]]
    ) -> MemoryImage {
        var image = MemoryImage()
        let values = program.templates[0].values
        for (place, chip) in schedule.templates[0].chips.enumerated() {
            for allocation in chip.allocations where allocation.isImage {
                let base = allocation.base
                image.blocks.append(
                    MemoryImage.Block(
                        chip: schedule.placements[0].chips[place],
                        hemisphere: allocation.hemisphere, slice: Int(allocation.slice),
                        bank: Int(base.bank), row: Int(base.row), rows: Int(allocation.rows),
                        offset: image.bytes.count))
                let type = values[allocation.value.index].type
                for row in 0..<Int(allocation.rows) {
                    let vector = allocation.vector(ofRow: row)
                    let at = (vector * type.byteCount + Int(allocation.plane)) * program.lanes
                    image.bytes += images[allocation.value.index][at..<at + program.lanes]
                }
            }
        }
        return image
    }

    /// What of a step is compared.
    public enum Scope: Sendable {
        /// What leaves at the host port, and the images for the next step.
        case outcome
        /// That, and every row that an allocation says to hold some op's result.
        case everyRow
    }

    /// Runs a step of both; one line for every vector that left and every allocated row that is
    /// not the interpreter's bytes, and for a fault. None where both agree bit for bit.
    ///
    /// Images are compared as the step leaves them: a region holds its last version.
    public mutating func differences(
        ingress: [[UInt8]], in scope: Scope = .everyRow
    ) throws(DiagnosticSet) -> [String] {
        let expected = try interpreter.step(ingress: ingress.flatMap { $0 })
        let host = schedule.placements[0].chips[0]
        let left: [UInt8]
        do throws(Fault) {
            left = try simulator.step(ingress: [host: ingress]).egress.flatMap(\.bytes)
        } catch {
            return ["\(error)"]
        }
        let lanes = program.lanes
        var result: [String] = []
        if left.count != expected.count {
            result.append("\(left.count) bytes leave, the program gives \(expected.count)")
        }
        for i in 0..<min(left.count, expected.count) / lanes
        where left[i * lanes..<(i + 1) * lanes] != expected[i * lanes..<(i + 1) * lanes] {
            result.append("vector \(i) of those that leave differs")
        }
        for (place, chip) in schedule.templates[0].chips.enumerated() {
            for allocation in chip.allocations where scope == .everyRow || allocation.isImage {
                result += differences(allocation, on: schedule.placements[0].chips[place])
            }
        }
        return result
    }

    private func differences(_ allocation: Allocation, on chip: ChipID) -> [String] {
        let value = program.templates[0].values[allocation.value.index]
        let expected = interpreter.bytes(of: allocation.value, in: 0)
        let (slice, side) = (Int(allocation.slice), allocation.hemisphere)
        return (0..<Int(allocation.rows)).compactMap { row in
            let vector = allocation.vector(ofRow: row)
            let at = (vector * value.type.byteCount + Int(allocation.plane)) * program.lanes
            let bytes = simulator.row(
                Int(allocation.base.row) + row, bank: Int(allocation.base.bank), slice: slice,
                side, of: chip)
            guard bytes.map({ $0[...] }) != expected[at..<at + program.lanes] else { return nil }
            return "vector \(vector), byte \(allocation.plane) of '\(value.name)' differs in "
                + "\(chip).\(Unit.memory(side, slice: slice)) of \(value.origin)"
        }
    }
}

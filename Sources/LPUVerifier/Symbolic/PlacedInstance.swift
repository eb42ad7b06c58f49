import LPUSchedule
import LPUSupport

/// What bursts need of their placement: its start, its rows, and the numbers of its instance. Plain
/// values, for it is asked millions of times.
struct PlacedInstance {
    let start: Int
    let opBase: Int
    /// The instance of the program whose numbers it has; -1 for none.
    let instance: Int32
    /// Ops that its bursts may name.
    let ops: Range<Int>
    /// Of slots 1, 2, ...; they last as long as the placements that they are of.
    let slots: UnsafeBufferPointer<SlotOffset>
}

/// The placements of a schedule, and the instances that they are.
final class PlacedInstances: @unchecked Sendable {
    private let placed: [PlacedInstance]

    /// - Parameter instances: by placement, -1 for none.
    init(_ placements: [Placement], _ instances: [Int], _ program: SymbolicProgram) {
        placed = zip(placements, instances).map { placement, instance in
            let slots = UnsafeMutableBufferPointer<SlotOffset>.allocate(
                capacity: placement.slots.count)
            _ = slots.initialize(from: placement.slots)
            return PlacedInstance(
                start: placement.start.index, opBase: placement.opBase, instance: Int32(instance),
                ops: instance >= 0
                    ? program.opBases[instance]..<program.opBases[instance + 1]
                    : program.ops.indices,
                slots: UnsafeBufferPointer(slots))
        }
    }

    deinit {
        for placement in placed { placement.slots.deallocate() }
    }

    subscript(placement: Int) -> PlacedInstance { placed[placement] }
}

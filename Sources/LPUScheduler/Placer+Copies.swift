import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

/// Second copies of vectors, where the one that rests cannot be read as an op needs it.
extension Placer {
    /// Makes all planes of an ALU's operand rest on one side: those of a `pack` are values of
    /// their own, and only one direction brings a side's slices to the VXM.
    func bringTogether(_ use: Use, _ iteration: Int, op: Int) throws(Infeasibility) {
        let planes = restingPlanes(use, iteration)
        let all = planes.map { sides(of: $0.value, $0.vector) }
        guard
            !Hemisphere.allCases.contains(where: { side in
                all.allSatisfy { $0.contains(side) }
            })
        else { return }
        for plane in planes { try copyAcross(plane.value, plane.vector, op: op) }
    }

    /// Makes every vector of the operand rest on both sides.
    func copyAcross(_ use: Use, _ iteration: Int, op: Int) throws(Infeasibility) {
        for plane in restingPlanes(use, iteration) {
            try copyAcross(plane.value, plane.vector, op: op)
        }
    }

    private func restingPlanes(_ use: Use, _ iteration: Int) -> [(value: ValueID, vector: Int)] {
        let type = template.values[use.value.index].type
        return (0..<type.byteCount).map { plane in
            let (value, vector, _) = resolve(use.value, use.vector(iteration), plane)
            return (value, vector)
        }
    }

    /// Reads the vector through the VXM's register into slices of the other side, unless a copy
    /// rests there; an image vector is there from the start, but for a guest's whose rows would
    /// move: those are the host's.
    private func copyAcross(
        _ value: ValueID, _ vector: Int, op: Int
    ) throws(Infeasibility) {
        let known = sides(of: value, vector)
        guard known.count == 1 else { return }
        guard !isImage(value) || isGuest && slot(of: value) > 0 else {
            let sides = Hemisphere.allCases.filter { $0 != known[0] }
            return try placeImage(value, vector, sides: sides)
        }
        let place = template.values[value.index].chip
        let type = template.values[value.index].type
        let direction = known[0].inward
        let start = earliestArrival(value, vector, type: type, at: 0)
        _ = try firstCycle(from: start, on: place, op: op) { cycle throws(Infeasibility) in
            guard
                let stream = deliver(
                    value, vector, type: type, to: 0, at: cycle, direction: direction,
                    groups: allGroups, op: op)
            else { return false }
            var emission = Emission(
                register: 0, cycle: cycle, byteCount: type.byteCount, reach: 0, stream: stream,
                direction: direction)
            return write(
                &emission, as: value, vector, groups: allGroups, op: op, isFirst: false)
        }
        tables[place].commit()
        scratchLog.removeAll(keepingCapacity: true)
    }
}

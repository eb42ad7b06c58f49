import LPUMachine
import LPUNumerics
import Testing

@testable import LPUPlanning

/// Contraction tiles of many outputs side by side.
@Suite struct LanePackingTests {
    private let chip = Machine.preset(named: "lp30")!.chip

    /// Every output has each of its lanes once, no two of a tile share one, and a shift moves the
    /// contraction tile's lane there.
    @Test(arguments: [(192, 0..<26), (256, 8..<26), (64, 0..<7), (16, 3..<50)])
    func everyLaneIsThereOnce(_ width: Int, _ outputs: Range<Int>) throws {
        let packing = try #require(LanePacking(width: width, outputs: outputs, .fp8, on: chip))
        var seen = outputs.map { _ in Set<Int>() }
        for tile in 0..<packing.tiles {
            var taken = Set<Int>()
            for piece in packing.pieces(of: tile) {
                for lane in piece.lanes {
                    #expect((0..<chip.lanes).contains(lane) && taken.insert(lane).inserted)
                    let own = lane - piece.shift
                    #expect((0..<width).contains(own))
                    #expect(seen[piece.output - outputs.lowerBound].insert(own).inserted)
                }
            }
        }
        #expect(seen.allSatisfy { $0.count == width })
        #expect(packing.tiles == (outputs.count * width + chip.lanes - 1) / chip.lanes)
        #expect(packing.tiles(before: outputs.upperBound) == packing.tiles)
    }

    @Test func nothingIsPackedWhereItDoesNotPay() {
        #expect(LanePacking(width: 320, outputs: 0..<26, .fp8, on: chip) == nil)
        #expect(LanePacking(width: 304, outputs: 0..<26, .fp8, on: chip) == nil)
        #expect(LanePacking(width: 200, outputs: 0..<26, .fp8, on: chip) == nil)
        #expect(LanePacking(width: 192, outputs: 0..<26, .fp16, on: chip) == nil)
    }

    /// 70B's 1,792 inner elements a chip: two narrow vectors, as many as the planes make at once.
    @Test func innerVectorsLeaveWhatIsPacked() {
        let plan = Plan(
            context: 64, weightType: .fp8, kvType: .fp8, tensorParallel: 16, pipelineStages: 16,
            stageLayers: [])
        let tiling = plan.innerTiling(100..<1892, outputs: 26, on: chip)
        #expect(tiling.ranges.map(\.count) == [256, 256, 320, 320, 320, 320])
        #expect(tiling.ranges.first?.lowerBound == 100 && tiling.ranges.last?.upperBound == 1892)
        #expect(plan.packings([256, 256, 320], outputs: 26, on: chip).count == 2)
        #expect(
            plan.packings([256, 256], outputs: 26, on: chip).map(\.outputs) == [8..<26, 8..<26])
    }
}

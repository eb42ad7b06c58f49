import LPUMachine
import LPUModel

extension Plan {
    /// The plan with its layers dealt out so that the fullest stage is as empty as layers allow:
    /// the embedding and the LM head take the place of layers in the first and last stage.
    ///
    /// Each stage has `least` layers, the first none where stages cross; the others go one by one
    /// to the stage that then has most to spare, the first of equal ones, which is the best there
    /// is, as all layers are alike. nil where those are more than the model has.
    func dealtByDemand(
        of model: ModelConfiguration, least: Int, on machine: Machine
    ) -> Plan? {
        let places = chipDemands(of: model, on: machine)
        let rooms = Rooms(self, machine.chip)
        var plan = self
        plan.stageLayers = Array(repeating: least, count: pipelineStages)
        let crosses = stagesCross(stageChips(self, machine), plan, of: model, machine.topology)
        if crosses { plan.stageLayers[0] = 0 }
        let left = model.layerCount - plan.stageLayers.reduce(0, +)
        guard left >= 0 else { return nil }
        func free(_ stage: Int, layers: Int) -> Int {
            let stage = parts(ofStage: stage, layers: layers, crosses: crosses)
            return places.flatMap { rooms.of($0, stage) }.map(\.free).min() ?? 0
        }
        var spare = plan.stageLayers.indices.map { free($0, layers: plan.stageLayers[$0] + 1) }
        for _ in 0..<left {
            guard let next = spare.indices.max(by: { spare[$0] < spare[$1] }) else { break }
            plan.stageLayers[next] += 1
            spare[next] = free(next, layers: plan.stageLayers[next] + 1)
        }
        return plan
    }
}

import LPUMachine
import LPUModel

extension Plan {
    /// The plan with its layers dealt out so that the fullest stage is as empty as whole layers
    /// allow: the embedding and the LM head take the place of layers in the first and last stage.
    ///
    /// Each stage has `least` layers; the others go one by one to the stage asked for least,
    /// the first of equal ones, which is the best there is, as all layers are alike.
    /// - Requires: `least` layers a stage are no more than the model has.
    func dealtByDemand(
        of model: ModelConfiguration, least: Int, on machine: Machine
    ) -> Plan {
        let parts = (0..<tensorParallel).map {
            ChipDemand(
                ChipShare(model, place: $0, of: tensorParallel, lanes: machine.chip.lanes), model,
                self, chip: machine.chip, place: $0)
        }
        func most(_ demand: (ChipDemand) -> Demand) -> Int {
            parts.map { demand($0).total }.max() ?? 0
        }
        let layer = most(\.layer)
        var totals = Array(repeating: 0, count: pipelineStages)
        totals[0] += most(\.embedding)
        totals[pipelineStages - 1] += most(\.head)
        var plan = self
        plan.stageLayers = Array(repeating: least, count: pipelineStages)
        for stage in totals.indices { totals[stage] += least * layer }
        for _ in 0..<model.layerCount - least * pipelineStages {
            guard let next = totals.indices.min(by: { totals[$0] < totals[$1] }) else { break }
            totals[next] += layer
            plan.stageLayers[next] += 1
        }
        return plan
    }
}

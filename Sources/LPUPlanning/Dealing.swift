import LPUMachine
import LPUModel

extension Plan {
    /// The plan with its layers dealt out so that the fullest stage is as empty as whole layers
    /// allow: the embedding and the LM head take the place of layers in the first and last stage.
    ///
    /// Each stage has `least` layers; the others go one by one to the stage that then has most to
    /// spare, the first of equal ones, which is the best there is, as all layers are alike.
    /// - Requires: `least` layers a stage are no more than the model has.
    func dealtByDemand(
        of model: ModelConfiguration, least: Int, on machine: Machine
    ) -> Plan {
        let places = chipDemands(of: model, on: machine)
        let rooms = Rooms(self, machine.chip)
        func free(_ stage: Int, layers: Int) -> Int {
            places.flatMap {
                rooms.of(
                    $0, layers: layers, isFirst: stage == 0, isLast: stage == pipelineStages - 1)
            }.map(\.free).min() ?? 0
        }
        var plan = self
        plan.stageLayers = Array(repeating: least, count: pipelineStages)
        var spare = plan.stageLayers.indices.map { free($0, layers: least + 1) }
        for _ in 0..<model.layerCount - least * pipelineStages {
            guard let next = spare.indices.max(by: { spare[$0] < spare[$1] }) else { break }
            plan.stageLayers[next] += 1
            spare[next] = free(next, layers: plan.stageLayers[next] + 1)
        }
        return plan
    }
}

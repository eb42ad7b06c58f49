import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// A decode step as templates: a prologue, a layer as often as the model has one, and a head.
extension DecoderLowering {
    /// The whole step on `chips`.
    mutating func lowerStep(on chips: [ChipID]) -> Program {
        lowerPrologue()
        let embedded = lowerEmbedding()
        let made = shared
        var templates = [builder.template]
        var instances = [Instance(template: 0, chips: chips)]

        var x = openTemplate("layer", made, embedded)
        x = lowerAttention(x)
        x = lowerFeedForward(x)
        let layerInputs = bound
        templates.append(builder.template)
        for layer in 0..<model.layerCount {
            // The shared values come first, then x: of the prologue, or of the layer before.
            let own = layer == 0 ? embedded : x
            let tail = own.flatMap { $0 }
            let head = layerInputs.dropLast(tail.count).map {
                Instance.Argument(instance: 0, value: $0)
            }
            instances.append(
                Instance(
                    template: 1, chips: chips, layer: layer,
                    arguments: head + tail.map { .init(instance: layer, value: $0) }))
        }

        let last = x
        x = openTemplate("head", made, last)
        lowerHead(x)
        templates.append(builder.template)
        let count = last.joined().count
        let arguments = bound.enumerated().map { i, value in
            Instance.Argument(
                instance: i < bound.count - count ? 0 : model.layerCount, value: value)
        }
        instances.append(Instance(template: 2, chips: chips, arguments: arguments))
        return Program(
            name: model.architecture.rawValue, lanes: lanes,
            lanesPerSuperlane: chip.lanesPerSuperlane, templates: templates, instances: instances)
    }

    /// Begins a template that takes the shared values and x as parameters; its own names for x.
    private mutating func openTemplate(
        _ name: String, _ made: [SharedValues], _ x: [[ValueID]]
    ) -> [[ValueID]] {
        let source = builder.template
        let prologue = prologueTemplate ?? source
        prologueTemplate = prologue
        builder = TemplateBuilder(
            name, chipCount: places.count, lanesPerSuperlane: chip.lanesPerSuperlane)
        bound = []
        shared = made.map { values in
            values.mapped { parameter(for: $0, of: prologue) }
        }
        return x.map { $0.map { parameter(for: $0, of: source) } }
    }

    private mutating func parameter(for value: ValueID, of template: ProgramTemplate) -> ValueID {
        let original = template.values[value.index]
        bound.append(value)
        return builder.parameter(
            original.name, chip: original.chip, type: original.type, count: original.count)
    }
}

extension SharedValues {
    /// The same values under the names that `name` gives them, in a fixed order.
    fileprivate func mapped(_ name: (ValueID) -> ValueID) -> SharedValues {
        var result = SharedValues()
        result.ones = name(ones)
        result.identity = name(identity)
        result.cosine = name(cosine)
        result.sine = name(sine)
        result.bounds = bounds.map(name)
        result.keyRows = keyRows.map(name)
        result.valueRows = valueRows.map(name)
        result.blockRows = blockRows.map(name)
        result.token = name(token)
        result.headOnes = headOnes.map(name)
        result.headMasks = headMasks.map(name)
        return result
    }
}

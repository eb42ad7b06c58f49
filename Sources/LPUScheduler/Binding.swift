import LPUDataflow
import LPUMachine
import LPUSupport

/// What a parameter stands for: a value of an earlier instance, and whether it is an image there.
struct Binding {
    var instance: Int
    var value: ValueID
    var isImage: Bool
}

extension Program {
    /// The value of an instance that is made by an op or is an image, behind any parameters.
    func origin(of value: ValueID, in instance: Int) -> Binding {
        let values = templates[instances[instance].template].values
        switch values[value.index].origin {
        case .parameter:
            let place = values[..<value.index].count { $0.origin == .parameter }
            let argument = instances[instance].arguments[place]
            return origin(of: argument.value, in: argument.instance)
        case .image: return Binding(instance: instance, value: value, isImage: true)
        case .op: return Binding(instance: instance, value: value, isImage: false)
        }
    }
}

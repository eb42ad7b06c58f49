public import LPUSupport

/// The numbers of a program's values and ops over all its instances, parameters resolved.
public struct Numbering: Hashable, Sendable {
    /// For each instance, the number of its first value and of its first op; one more at the end.
    public private(set) var valueBases = [0]
    public private(set) var opBases = [0]
    /// For each number, itself or, for a parameter, the number of what it is bound to.
    private var bound: [ValueID] = []

    /// - Requires: `program.problems()` holds no error. O(values of all instances).
    public init(_ program: Program) {
        for instance in program.instances {
            let template = program.templates[instance.template]
            var arguments = instance.arguments.makeIterator()
            for value in template.values {
                if value.origin == .parameter, let argument = arguments.next() {
                    bound.append(self.value(argument.value, of: argument.instance))
                } else {
                    bound.append(ValueID(bound.count))
                }
            }
            valueBases.append(bound.count)
            opBases.append(opBases[opBases.count - 1] + template.ops.count)
        }
    }

    public var valueCount: Int { bound.count }
    public var opCount: Int { opBases[opBases.count - 1] }

    /// The number of a template's value in an instance; a parameter gives what it is bound to.
    public func value(_ value: ValueID, of instance: Int) -> ValueID {
        bound[valueBases[instance] + value.index]
    }

    /// The number of a template's op in an instance.
    public func op(_ op: OpID, of instance: Int) -> OpID {
        OpID(opBases[instance] + op.index)
    }
}

extension Axis: CustomStringConvertible {
    public var description: String {
        switch self {
        case .hidden(let n): "hidden \(n)"
        case .intermediate(let n): "intermediate \(n)"
        case .vocabulary(let n): "vocabulary \(n)"
        case .keyValueHead(let n): "kv_head \(n)"
        case .group(let n): "group \(n)"
        case .channel(let n): "channel \(n)"
        case .context: "context"
        }
    }
}

extension WeightTensor: CustomStringConvertible {
    /// Such as `lm_head.weight[32000, 4096]`.
    public var description: String { name + "\(shape)" }
}

extension ModelGraph: CustomStringConvertible {
    /// One line a tensor, the same bytes for the same graph; ends with a line feed.
    ///
    /// ```
    /// layers.$layer.q_turned [kv_head 8, group 4, channel 128]
    ///   = RotaryEmbedding(layers.$layer.q, position)
    /// ```
    /// stands on one line; equal layers stand once.
    public var description: String {
        var text = "model \(configuration.architecture.rawValue)\n"
        text += "layers \(layers.count)\nparameters \(parameterCount)\n"
        text += "positions \(configuration.maximumPositions)\n"
        text += "\n" + embedding.description
        for (shape, block) in layerShapes.enumerated() {
            let members = layers.indices.filter { layers[$0] == shape }
            text += "\n# layers \(ranges(members))\n" + block.description
        }
        return text + "\n# layer \(layers.count)\n" + head.description
    }
}

/// Ascending numbers as half-open ranges: `0..<3 5..<6`.
private func ranges(_ numbers: [Int]) -> String {
    var ranges: [Range<Int>] = []
    for n in numbers {
        if let last = ranges.last, last.upperBound == n {
            ranges[ranges.count - 1] = last.lowerBound..<n + 1
        } else {
            ranges.append(n..<n + 1)
        }
    }
    return ranges.map { "\($0)" }.joined(separator: " ")
}

extension Block: CustomStringConvertible {
    /// The block's inputs, caches and nodes, one a line, indented under its name.
    public var description: String {
        var lines = ["block \(name)"]
        lines += inputs.map { "input \(line(self[$0]))" }
        lines += caches.map { "cache \(line(self[$0.past])) -> \(self[$0.present].name)" }
        lines += nodes.map { node in
            let arguments = node.inputs.map { self[$0].name } + node.operation.parameters
            let list = arguments.joined(separator: ", ")
            return "\(line(self[node.output])) = \(node.operation.onnxName)(\(list))"
        }
        return lines.joined(separator: "\n  ") + "\n"
    }

    private func line(_ tensor: Tensor) -> String {
        guard !tensor.axes.isEmpty else { return tensor.name }
        return tensor.name + " [\(tensor.axes.map(\.description).joined(separator: ", "))]"
    }
}

extension Operation {
    /// What the text form shows after the inputs.
    fileprivate var parameters: [String] {
        let constants: [String] =
            switch self {
            case .rmsNormalization(_, let epsilon), .layerNormalization(_, _, let epsilon):
                ["epsilon \(epsilon)"]
            case .activation(.geluTanh): ["approximate tanh"]
            case .rotaryEmbedding(let rotary): rotary.parameters
            case .scale(let factor): ["\(factor)"]
            case .gather, .linear, .tensorScatter, .queryTimesKeys, .weightsTimesValues,
                .causalMask, .softmax, .add, .multiply, .swish, .argMax, .activation, .rows,
                .paddingMask, .maskedMean:
                []
            }
        return weights.map(\.description) + constants
    }
}

extension RotaryEmbedding {
    fileprivate var parameters: [String] {
        switch scaling {
        case .none:
            ["theta \(theta)"]
        case .llama3(let factor, let low, let high, let original):
            ["theta \(theta)", "llama3 factor \(factor) low \(low) high \(high) from \(original)"]
        }
    }
}

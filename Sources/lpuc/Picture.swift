import ArgumentParser
import LPUCompiler
import LPUDataflow
import LPURendering
import LPUSupport

/// The pictures of a compilation.
enum Picture: String, ExpressibleByArgument, CaseIterable {
    /// Dataflow of a layer.
    case layer
    case timing, pipeline

    var fileNames: [String] {
        ["\(rawValue).dot"] + Drawing.Format.allCases.map { "\(rawValue).\($0.rawValue)" }
    }

    /// Every picture as DOT, SVG and PNG.
    static func allFiles(
        of compilation: Compilation, named name: String
    ) throws(DiagnosticSet) -> [(name: String, bytes: [UInt8])] {
        let pictures = try Pictures(
            of: name, compilation.program, compilation.schedule, on: compilation.machine)
        var files: [(name: String, bytes: [UInt8])] = []
        for picture in allCases {
            let drawing = try picture.drawing(of: pictures)
            files.append((picture.rawValue + ".dot", Array(drawing.dot.utf8)))
            for format in Drawing.Format.allCases {
                files.append(
                    ("\(picture.rawValue).\(format.rawValue)", try drawing.rendered(as: format)))
            }
        }
        return files
    }

    private func drawing(of pictures: Pictures) throws(DiagnosticSet) -> Drawing {
        switch self {
        case .layer: try pictures.layer(instance: pictures.layerInstance ?? 0)
        case .timing: try pictures.timing(cycles: pictures.layerCycles())
        case .pipeline: pictures.pipeline()
        }
    }
}

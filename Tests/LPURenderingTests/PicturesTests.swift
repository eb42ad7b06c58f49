import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport
import Testing

@testable import LPURendering

@Suite struct LayerTests {
    @Test func foldsHeadsAndCountsCyclesAndBytes() throws {
        let drawing = try SmallStep().pictures().layer(focus: "layer0")
        #expect(drawing.nodes.map(\.id) == ["layer0.h*.score", "layer0.sum", "token", "layer1"])
        // Ops 1 to 4, two of them without a name: op 1 from 10, op 4 until 249.
        #expect(
            try drawing.texts("layer0.h*.score")
                == ["layer0.h*.score × 2", "VXM 4", "cycles 10–249", "reads 640 B"])
        #expect(try drawing.texts("layer0.sum") == ["layer0.sum", "VXM 1"])
        #expect(try drawing.node("layer0.sum").outline == .solid)
        #expect(try drawing.node("token").outline == .dashed)
        #expect(
            drawing.arrows == [
                "layer0.h*.score -> layer0.sum: 2.6 KB", "layer0.sum -> layer1: 1.3 KB",
                "token -> layer0.h*.score: 1.3 KB",
            ])
    }

    @Test func limitBoundsTheUnfolding() throws {
        let pictures = try SmallStep().pictures()
        #expect(try pictures.layer(limit: 3).nodes.map(\.id) == ["token", "layer*", "head"])
        #expect(
            try pictures.layer(limit: 4).nodes.map(\.id)
                == ["token", "layer*.h*.score", "layer*.sum", "head"])
    }

    @Test func parametersComeFromEarlierInstances() throws {
        var step = try SmallStep()
        var builder = TemplateBuilder("tail", chipCount: 4, lanesPerSuperlane: 16)
        let x = builder.parameter("x", type: .int32, count: 1)
        _ = builder.elementwise(.copy, x[0], name: "last")
        step.program.templates.append(builder.template)
        let values = step.program.templates[0].values
        let head = try #require(values.firstIndex { $0.name == "head" })
        step.program.instances.append(
            Instance(
                template: 1, chips: step.program.instances[0].chips,
                arguments: [Instance.Argument(instance: 0, value: ValueID(head))]))
        step.schedule.program = step.program.digest
        let drawing = try step.pictures().layer(instance: 1)
        #expect(drawing.arrows == ["earlier instances -> last: 1.3 KB"])
    }

    /// `$next` is what tells one layer's ops from the next one's of the same name.
    @Test func nextLayerIsDrawnApart() throws {
        var step = try SmallStep()
        var builder = TemplateBuilder("layer", chipCount: 4, lanesPerSuperlane: 16)
        let x = builder.image("x", type: .fp32, count: 1, .zero)
        let scales = Formula.scales(
            Layout(tensor: "q.$next", pieces: []), factor: 1, columnScale: nil)
        let q = builder.image("scales", type: .fp32, count: 1, scales)
        let mixed = builder.elementwise(.copy, x[0], name: "layer.mixed")
        let inner = builder.elementwise(.copy, mixed[0], name: "layer.inner")
        let scaled = builder.elementwise(.add, inner[0], q[0], name: "layer.q")
        _ = builder.elementwise(.copy, scaled[0], name: "layer.mixed")
        step.program.templates.append(builder.template)
        step.program.instances.append(
            Instance(template: 1, chips: step.program.instances[0].chips, layer: 0))
        step.schedule.program = step.program.digest
        #expect(
            try step.pictures().layer(instance: 1).arrows == [
                "layer.mixed -> layer.inner: 1.3 KB", "layer.inner -> next layer.q: 1.3 KB",
                "next layer.q -> next layer.mixed: 1.3 KB",
            ])
    }

    @Test func namesOfBoxesAreAFocus() throws {
        let pictures = try SmallStep().pictures()
        for focus in ["layer*.h*", "layer.h", "layer0.h*"] {
            #expect(
                try pictures.layer(focus: focus).nodes.filter { $0.outline == .solid }.map(\.id)
                    == ["layer0.h*.score"])
        }
        #expect(
            try pictures.layer(focus: "layer0.h1").nodes.map(\.id)
                == ["layer0.h1.score", "token", "layer*"])
    }

    @Test func unknownNamesAreRefused() throws {
        let pictures = try SmallStep().pictures()
        for name in ["lay", "layer2", "layer0.h*.score.x", "0", ""] {
            let focus = try #require(throws: DiagnosticSet.self) { try pictures.layer(focus: name) }
            #expect(focus.diagnostics.map(\.id) == ["drawing-focus"])
            #expect(focus.diagnostics[0].notes == ["try: token, layer*, head"])
        }
        for instance in [-1, 1] {
            let error = try #require(throws: DiagnosticSet.self) {
                try pictures.layer(instance: instance)
            }
            #expect(error.diagnostics.map(\.id) == ["drawing-instance"])
        }
    }
}

@Suite struct TimingTests {
    @Test func sharesAreUnitCycles() throws {
        let pictures = try SmallStep().pictures()
        let reads = try pictures.timing(of: ChipID(2), cycles: Cycle(100)..<Cycle(200))
        // 50 of 44 slices · 100 cycles.
        #expect(try reads.texts("readWest.share") == ["1.1 %"])
        #expect(try reads.texts("readEast.share") == ["0.0 %"])
        #expect(try reads.texts("readWest.title") == ["MEM west, read", "44 slices"])
        // One box: 50 columns on one level, half as wide as the row.
        let bars = reads.nodes.filter { $0.fill == .blue }
        #expect(bars.map(\.id) == ["readWest.0"])
        let ground = try #require(reads.node("readWest.ground").frame)
        #expect(bars.first?.frame?.width == ground.width / 2)
        #expect(try reads.texts("layer*.h*.score.title") == ["layer*.h*.score"])
    }

    @Test func longNamesKeepTheirEnd() throws {
        var step = try SmallStep()
        let op = step.program.templates[0].ops[1]
        let name = "a.kernel.of.a.rather.long.name.indeed"
        step.program.templates[0].values[op.result.index].name = name
        step.schedule.program = step.program.digest
        let drawing = try step.pictures().timing()
        #expect(try drawing.texts("\(name).title") == ["…rnel.of.a.rather.long.name.indeed"])
    }

    @Test func wordsOfAllNamesStandInTheLegend() throws {
        var step = try SmallStep()
        let values = step.program.templates[0].values.indices
        for v in values where step.program.templates[0].values[v].name.contains(/token|score/) {
            step.program.templates[0].values[v].name.insert(contentsOf: "all.", at: "".startIndex)
        }
        step.schedule.program = step.program.digest
        let drawing = try step.pictures().timing()
        #expect(try drawing.texts("all.token.title") == ["token"])
        #expect(try drawing.texts("all.layer*.h*.score.title") == ["layer*.h*.score"])
        let legend = drawing.heading.rows[3][0].text
        #expect(legend.hasSuffix(", are under way; left out before each name: 'all.'"))
    }

    /// 13 kernels at once for 100 cycles, and one that is short and alone.
    @Test func kernelsAreChosenSoThatNoStretchIsBlank() throws {
        var step = try SmallStep()
        var builder = TemplateBuilder("step", chipCount: 4, lanesPerSuperlane: 16)
        let x = builder.image("x", type: .int32, count: 1, .zero)
        let names = "abcdefghijklmn".map(String.init)
        for name in names { _ = builder.elementwise(.copy, x[0], name: name) }
        step.program.templates = [builder.template]
        step.schedule.program = step.program.digest
        let queue = step.machine.chip.queue(of: .alu(0))
        let stream = Stream(.west, 0)
        step.schedule.templates[0].chips[0].bursts = names.indices.map { k in
            Burst(
                start: Cycle(k < 13 ? 0 : 150), queue: queue,
                .alu(.copy, .stream(stream, .int32), nil, east: stream, west: nil),
                inner: Repeat(count: k < 13 ? 100 : 2), op: OpID(k))
        }
        let drawing = try step.pictures().timing()
        let shown = names.filter { name in drawing.nodes.contains { $0.id == "\(name).title" } }
        #expect(shown.joined() == "abcdefghijkn")
        let legend = drawing.heading.rows[3][0].text
        #expect(legend.hasSuffix(", are under way: of 14 the 12 that fill most of the time"))
    }

    @Test func timesOfShortStepsDiffer() throws {
        let drawing = try SmallStep().pictures().timing(cycles: Cycle(100)..<Cycle(110))
        #expect(try drawing.texts("tick100.text") == ["100", "0.111 µs"])
        #expect(try drawing.texts("tick102.text") == ["102", "0.113 µs"])
        #expect(drawing.heading.rows[2][0].text.contains("; a column: 1 cycle; "))
        let all = try SmallStep().pictures().timing()
        #expect(try all.texts("tick50.text") == ["50", "0.06 µs"])
    }

    /// Placements of one template are one line, busy in each of them.
    @Test func instancesOfATemplateShareTheirLines() throws {
        var step = try SmallStep()
        var builder = TemplateBuilder("tail", chipCount: 1, lanesPerSuperlane: 16)
        _ = builder.elementwise(
            .copy, builder.image("zero", type: .int8, count: 1, .zero)[0], name: "last")
        step.program.templates.append(builder.template)
        let base = step.program.templates[0].ops.count
        for k in 0..<2 {
            step.program.instances.append(Instance(template: 1, chips: [ChipID(2)]))
            step.schedule.placements[1 + k].opBase = base + k - 4
        }
        step.schedule.program = step.program.digest
        let drawing = try step.pictures().timing(of: ChipID(2))
        #expect(try drawing.texts("tail: last.title") == ["tail: last"])
        // Cycles 100 to 149 and 200 to 249 of 261, two a column.
        let bars = drawing.nodes.map(\.id).filter { $0.hasPrefix("tail: last.") }
        #expect(
            bars == ["tail: last.title", "tail: last.ground", "tail: last.50", "tail: last.100"])
    }

    @Test func tandemKeepsBothPlanesBusyForItsCadence() throws {
        let pictures = try SmallStep().pictures()
        let drawing = try pictures.timing(of: ChipID(1), cycles: Cycle(0)..<Cycle(25))
        // 10 activations, 2 cycles each, of 25.
        #expect(try drawing.texts("multiplyWest.share") == ["80.0 %"])
        let bar = try #require(drawing.node("multiplyWest.0").frame)
        #expect(try bar.height == drawing.node("multiplyWest.ground").frame?.height)
    }

    @Test func rangesAreClampedAndEmptyOnesRefused() throws {
        let pictures = try SmallStep().pictures()
        #expect(pictures.length == CycleCount(261))
        let all = try pictures.timing()
        #expect(try pictures.timing(cycles: Cycle(-5)..<Cycle(1 << 40)) == all)
        for bad in [Cycle(261)..<Cycle(300), Cycle(9)..<Cycle(9)] {
            let error = try #require(throws: DiagnosticSet.self) {
                try pictures.timing(cycles: bad)
            }
            #expect(error.diagnostics.map(\.id) == ["drawing-cycles"])
        }
        for chip in [-1, 8] {
            let error = try #require(throws: DiagnosticSet.self) {
                try pictures.timing(of: ChipID(chip))
            }
            #expect(error.diagnostics.map(\.id) == ["drawing-chip"])
        }
    }

    /// Every other cycle of every unit, so that no neighbours can be merged.
    @Test func busiestChartStaysBelow3000Boxes() throws {
        var step = try SmallStep()
        let chip = step.machine.chip
        let stream = Stream(.east, 0)
        let row = RowAddress(bank: 0, row: 0)
        let every = Repeat(count: 70, distance: 2)
        let bursts = chip.units.enumerated().flatMap { queue, unit -> [Burst] in
            let instruction: Instruction =
                switch unit {
                case .memory: .memory(.read(row, stream), .write(row, stream))
                case .link: queue % 2 == 0 ? .send(stream) : .receive(stream)
                default: .install(tandem: false)
                }
            return [Burst(start: Cycle(0), queue: QueueID(queue), instruction, inner: every)]
        }
        step.schedule.templates[0].chips[0].bursts = bursts
        step.schedule.placements = [step.schedule.placements[0]]
        let drawing = try step.pictures().timing()
        #expect(drawing.nodes.filter { $0.fill != nil }.count > 14 * 70)
        #expect(drawing.nodes.count < 3000)
    }
}

@Suite struct PipelineTests {
    @Test func stagesRunTheirPlacementsAndSendOverLinks() throws {
        let drawing = try SmallStep().pictures().pipeline()
        #expect(drawing.nodes.map(\.id) == ["host in", "stage0", "stage1", "host out"])
        #expect(
            try drawing.texts("stage0") == [
                "stage 0", "2 chips: chip0–chip1", "front: cycles 0–101",
                "weights, tables and caches: 0 B of 230.7 MB a chip", "links inside: 1.3 KB",
            ])
        #expect(
            try drawing.texts("stage1") == [
                "stage 1", "2 chips: chip2–chip3", "layer × 2: cycles 100–260",
                "weights, tables and caches: 1.9 KB of 230.7 MB a chip",
            ])
        #expect(
            drawing.arrows == [
                "host in -> stage0: 1 vector, 320 B", "stage0 -> stage1: 2 vectors, 640 B",
                "stage1 -> host out: 2 vectors, 640 B",
            ])
    }

    @Test func placementBetweenStagesIsOfBoth() throws {
        var step = try SmallStep()
        let chip = step.machine.chip
        let link = try #require(step.machine.topology.link(from: ChipID(1), to: ChipID(2)))
        let back = try #require(step.machine.topology.link(from: ChipID(2), to: ChipID(1)))
        let stream = Stream(.west, 0)
        let send = Burst(start: Cycle(0), queue: chip.queue(of: .link(link)), .send(stream))
        let receive = Burst(start: Cycle(30), queue: chip.queue(of: .link(back)), .receive(stream))
        step.schedule.templates.append(
            ScheduleTemplate(
                name: "forward",
                chips: [ChipProgram(bursts: [send]), ChipProgram(bursts: [receive])]))
        step.schedule.placements.append(
            Placement(template: 2, start: Cycle(50), chips: [ChipID(1), ChipID(2)]))
        let drawing = try step.pictures().pipeline()
        let texts = try ["stage0", "stage1"].map(drawing.texts)
        #expect(texts[0][2...3] == ["front: cycles 0–101", "forward: cycles 50–50"])
        #expect(texts[1][2...3] == ["forward: cycles 80–80", "layer × 2: cycles 100–260"])
    }

    @Test func equalStagesAreOneBox() throws {
        var step = try SmallStep()
        step.schedule.placements[2].chips = [ChipID(4), ChipID(5)]
        #expect(try step.pictures().pipeline().nodes.count == 5)
        step.schedule.placements.append(
            Placement(template: 1, start: Cycle(300), chips: [ChipID(6), ChipID(7)]))
        let drawing = try step.pictures().pipeline()
        #expect(
            drawing.nodes.map(\.id) == ["host in", "stage0", "stage1", "stage2", "host out"])
        #expect(
            try drawing.texts("stage2") == [
                "stages 2–3: each like stage 1", "4 chips: chip4–chip7", "cycles 200–360",
            ])
        #expect(drawing.arrows.contains("stage2 -> host out: 2 vectors, 640 B"))
    }

    @Test func stagesStandInTheirOrderWithoutLinks() throws {
        var step = try SmallStep()
        step.schedule.templates[0].chips[0].bursts.removeLast()
        #expect(try step.pictures().pipeline().arrows[1] == "stage0 -> stage1: not drawn")
    }

    @Test func placementsThatShareAChipAreOneStage() throws {
        var step = try SmallStep()
        step.schedule.placements[1].chips = [ChipID(1), ChipID(5)]
        let drawing = try step.pictures().pipeline()
        #expect(drawing.nodes.map(\.id) == ["host in", "stage0", "stage1", "host out"])
        #expect(try drawing.texts("stage0")[1] == "3 chips: chip0–chip1, chip5")
    }
}

@Suite struct PicturesTests {
    private func drawings(_ pictures: Pictures) throws -> [Drawing] {
        [try pictures.layer(), try pictures.timing(), pictures.pipeline()]
    }

    @Test func everyPictureHasTitleLengthAndItsColoursInEveryFormat() throws {
        for drawing in try drawings(SmallStep().pictures(of: "my <\"model\">")) {
            let svg = String(decoding: try drawing.rendered(as: .svg), as: UTF8.self)
            #expect(svg.contains("my &lt;&quot;model&quot;&gt; on node8: "))
            #expect(svg.contains("261 cycles, 0.3 µs at 900 MHz"))
            for unit in UnitClass.allCases {
                let isDrawn = drawing.nodes.contains { node in
                    node.fill == unit.colour
                        || node.table?.rows.joined().contains { $0.fill == unit.colour } == true
                }
                #expect(svg.contains("\(unit.name): \(unit.meaning)") == isDrawn)
                #expect(svg.contains(unit.colour.rawValue) == isDrawn)
            }
            #expect(svg.matches(of: /class="node"/).count == drawing.nodes.count)
            let png = try drawing.rendered(as: .png)
            #expect(png.starts(with: [0x89, 0x50, 0x4e, 0x47]) && png.count > 5000)
        }
    }

    @Test func equalInputsGiveEqualBytes() throws {
        let (a, b) = try (drawings(SmallStep().pictures()), drawings(SmallStep().pictures()))
        for (a, b) in zip(a, b) {
            #expect(a.dot == b.dot)
            #expect(try a.rendered(as: .svg) == b.rendered(as: .svg))
        }
    }

    @Test func badSchedulesAreRefused() throws {
        let cases: [(inout Schedule) -> Void] = [
            { $0.program = "other" },
            { $0.machine = "groqchip1" },
            { $0.placements[0].template = 2 },
            { $0.placements[0].template = -1 },
            { $0.placements[0].chips = [] },
            { $0.placements[0].chips[0] = ChipID(8) },
            { $0.placements[0].chips[0] = ChipID(-1) },
            { $0.placements[0].start = Cycle(-1) },
            { $0.placements[0].start = Cycle(.max) },
            { $0.placements[0].opBase = .max },
            { $0.templates[0].chips[0].bursts[0].queue = QueueID(145) },
            { $0.templates[0].chips[0].bursts[0].start = Cycle(.min) },
            { $0.templates[0].chips[0].bursts[0].inner = Repeat(count: 0) },
            { $0.templates[0].chips[0].bursts[0].inner = Repeat(count: 2, distance: 0) },
            {
                $0.templates[0].chips[0].bursts[0].outer = Repeat(
                    count: Int(Int32.max), distance: 2)
            },
        ]
        for (i, spoil) in cases.enumerated() {
            var step = try SmallStep()
            spoil(&step.schedule)
            let error = #expect(throws: DiagnosticSet.self, "case \(i)") { try step.pictures() }
            #expect(error?.diagnostics.first?.id == "drawing-schedule", "case \(i)")
        }
    }

    @Test func numbersAreGrouped() {
        #expect([0, 999, 1000, 1_234_567].map(grouped) == ["0", "999", "1,000", "1,234,567"])
    }
}

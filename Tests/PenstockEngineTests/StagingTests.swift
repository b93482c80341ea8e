import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

@Suite(.computing) struct StagingTests {
    let engine: EngineHarness
    /// What the last part was refused with.
    private final class LastError { var text = "" }
    private let lastError = LastError()

    init() throws { engine = try EngineHarness() }

    private func parts(_ items: [ItemSpec], nodes: Int) -> (totals: Stage.Totals, tails: [AddTail]) {
        Stage.parts(of: items, nodes: nodes)
    }

    @discardableResult
    private func stage(
        _ part: Stage.Part,
        _ totals: Stage.Totals,
        _ tail: AddTail?,
        add: UInt32 = 1,
        change: (inout WireWriter) -> Void = { _ in }
    ) throws -> ErrorCode? {
        let sequence = engine.stage(part, totals, tail, add: add, change: change)
        try engine.commit()
        let outcome = try #require(engine.session.outcomes[sequence])
        lastError.text = outcome.status == 0 ? "" : try ErrorBody(reading: outcome.body).message
        return engine.session.code(sequence)
    }

    /// All parts but the last.
    private func stageMost(_ items: [ItemSpec], nodes: Int) throws -> (Stage.Totals, AddTail) {
        let (totals, tails) = parts(items, nodes: nodes)
        for (index, tail) in tails.dropLast().enumerated() {
            #expect(try stage(index == 0 ? .first : .next, totals, tail) == .ok)
        }
        return (totals, tails.last!)
    }

    private func publish(_ items: [ItemSpec], nodes: Int) throws -> Added {
        let (totals, last) = try stageMost(items, nodes: nodes)
        try #require(try stage(.last, totals, last) == .ok, "\(lastError.text)")
        return try engine.added(engine.session.next - 1, items)
    }

    private func chain(_ count: Int) -> ItemSpec {
        .flow("chain", (0..<count).map { job("n\($0)", after: $0 == 0 ? [] : [.node("n\($0 - 1)")]) })
    }

    @Test func `nodes of two parts do not stand for one stored job`() throws {
        try engine.add(job("there", id: "x"))
        let items = [ItemSpec.flow([job("a", id: "x"), job("b"), job("c", id: "x")])]
        let (totals, last) = try stageMost(items, nodes: 2)
        #expect(try stage(.last, totals, last) == .duplicateCustomID)
        #expect(lastError.text.hasSuffix("has the custom id of another node of the same add and queue."))
        #expect(try engine.queue().total == 1)
    }

    @Test func `the length of every queue of a large add is asked when it is published`() throws {
        try engine.set([.maxLength]) { $0.maxLength = 3 }
        let items = [ItemSpec.flow((0..<5).map { job("\($0)", queue: $0 < 3 ? "q" : "other") })]
        var (totals, last) = try stageMost(items, nodes: 3)
        let between = try engine.add(job("between"))
        #expect(try stage(.last, totals, last) == .queueFull)
        #expect(try engine.queue().total == 1)
        try engine.remove(between)
        (totals, last) = try stageMost(items, nodes: 3)
        #expect(try stage(.last, totals, last) == .ok)
    }

    @Test func `its jobs are told in slices, each to be added before anything else`() throws {
        engine.limits = EffectLimits(steps: 4)
        try engine.hear()
        let items = [ItemSpec.flow("f", (0..<12).map { job("n\($0)") })]
        let added = try publish(items, nodes: 5)
        var told = try engine.told()
        // Its turn has not come.
        try engine.cancel(.job(added["n11"]))
        #expect(try engine.told().filter { $0.hasPrefix("n11") } == ["n11 added", "n11 cancelled"])
        told += try engine.told()
        while engine.open.engine.isSettling {
            engine.stage(.carryOn, engine.session)
            try engine.commit()
            told += try engine.told()
        }
        for index in 0..<11 {
            #expect(told.filter { $0.hasPrefix("n\(index) ") } == ["n\(index) added", "n\(index) waiting"])
        }
        #expect(told.filter { $0.hasPrefix("n11 ") } == ["n11 added", "n11 cancelled"])
    }

    @Test func `an add of many parts comes to the same as one of one part`() throws {
        let items = [
            ItemSpec.flow(
                "f",
                [
                    job("a"), job("b", after: [.node("a")]),
                    job("c", queue: "r", after: [.node("a"), .node("b", .ignore)]),
                    job("d") { $0.delay = 500 }, job("e", after: [.node("d"), .node("c")]),
                ]
            ),
            .single(job("alone")), .single(job("late") { $0.lifo = true }),
            .flow("g", [job("x"), job("y", after: [.node("x"), .node("a")])]),
        ]
        for nodes in 1...4 {
            let added = try publish(items, nodes: nodes)
            #expect(added.items.map(\.nodes) == [5, 1, 1, 2])
            let other = try EngineHarness()
            let whole = try other.add(items[0], items[1], items[2], items[3])
            for (name, id) in added.ids {
                #expect(try engine.state(id) == other.state(whole[name]), "\(name) in parts of \(nodes)")
                #expect(try engine.edges(id).map(\.policy) == other.edges(whole[name]).map(\.policy))
            }
            #expect(try engine.flow(added.items[0].flow).counts == other.flow(whole.items[0].flow).counts)
            #expect(try engine.view(added["a"]).dependents == 3)
            let names = try engine.ready().map { try engine.view($0.job).name }
            #expect(names == ["late", "a", "alone", "x"])
            engine.advance(500)
            try engine.promote()
            for name in ["late", "a", "alone", "x", "b", "d", "y"] { try engine.complete(added[name]) }
            try engine.complete(added["c"])
            try engine.complete(added["e"])
            #expect(try engine.flow(added.items[0].flow).status == .completed)
            #expect(try engine.flow(added.items[3].flow).status == .completed)
        }
    }

    @Test func `nobody sees a job of an add before its last part has come`() throws {
        let items = [ItemSpec.flow("f", [job("a", id: "a"), job("b", after: [.node("a")]), job("c")])]
        let (totals, last) = try stageMost(items, nodes: 1)
        let hidden = JobID(1)
        #expect(try refusal { _ = try engine.view(hidden) } == .jobNotFound)
        #expect(try refusal { _ = try engine.view(.custom(queue: "q", id: "a")) } == .jobNotFound)
        #expect(try refusal { _ = try engine.flow(FlowID(1)) } == .flowNotFound)
        #expect(try engine.ready().isEmpty)
        #expect(try engine.queue() == StateCounts())
        #expect(try refusal { try engine.add(job("x", after: [.job(hidden)])) } == .unknownDependency)
        #expect(try refusal { try engine.add(job("x", id: "a")) } == .customIDBusy)
        try engine.restart()
        #expect(try refusal { _ = try engine.view(hidden) } == .jobNotFound)
        #expect(try refusal { try engine.add(job("x", id: "a")) } == .customIDBusy)
        #expect(try stage(.last, totals, last) == .ok)
        #expect(try engine.view(.custom(queue: "q", id: "a")).id == hidden)
        #expect(try engine.queue().total == 3)
    }

    @Test func `an edge to a job outside is settled by what has become of it when the add is published`() throws {
        let (done, broken, open) = (
            try engine.add(job("done")), try engine.add(job("broken")), try engine.add(job("open"))
        )
        let items = [
            ItemSpec.flow(
                "f",
                [
                    job("a", after: [.job(done)]), job("b", after: [.job(broken)]), job("c", after: [.job(open)]),
                    job("d", after: [.job(broken, .ignore), .job(done)]),
                ]
            )
        ]
        let (totals, last) = try stageMost(items, nodes: 1)
        #expect(try engine.view(done).dependents == 0, "nobody sees a dependent that is not published")
        try engine.complete(done)
        try engine.fail(broken)
        #expect(try stage(.last, totals, last) == .ok)
        let added = try engine.added(engine.session.next - 1, items)
        #expect(try engine.states(added, "a", "b", "c", "d") == [.waiting, .failed, .waitingChildren, .waiting])
        #expect(try engine.view(done).dependents == 2)
        try engine.complete(open)
        #expect(try engine.state(added["c"]) == .waiting)
    }

    @Test func `a node whose custom id is taken stands for the stored job in every part`() throws {
        let stored = try engine.add(job("stored", id: "s"))
        let items = [
            ItemSpec.flow(
                "f",
                [
                    job("a"), job("s", id: "s"), job("b", after: [.node("s"), .node("a")]),
                    job("c", after: [.node("b")]),
                ]
            )
        ]
        let added = try publish(items, nodes: 1)
        #expect(added["s"] == stored)
        #expect(added.items[0].existing.map(\.node) == [1])
        #expect(try engine.edges(added["b"]).map(\.dependency) == [stored, added["a"]])
        try engine.complete(stored)
        try engine.complete(added["a"])
        #expect(try engine.states(added, "b", "c") == [.waiting, .waitingChildren])
        let other = try engine.add(job("other", id: "t"))
        let again = try publish([.flow("g", [job("s", id: "s"), job("t", id: "t")])], nodes: 1)
        #expect(again.flow == .none && again["s"] == stored && again["t"] == other)
    }

    @Test(arguments: [1, 2, 3]) func `a part that is refused drops the add, and its custom ids are free again`(
        parts: Int
    ) throws {
        let items = [ItemSpec.flow("f", [job("a", id: "a"), job("b", id: "b"), job("c", id: "c"), job("d")])]
        var (totals, tails) = self.parts(items, nodes: 1)
        totals.bytes += UInt64(DependencyFields.byteCount)
        for index in 0..<parts { try stage(index == 0 ? .first : .next, totals, tails[index]) }
        var broken = tails[3]
        broken.items[0].nodes[0].dependencies = [DependencyFields(.job(JobID(999_999)))]
        #expect(try stage(.next, totals, broken) == .unknownDependency)
        #expect(try stage(.next, totals, tails[parts]) == .stageMismatch)
        let ids = try ["a", "b", "c"].map { try engine.add(job($0, id: $0)) }
        #expect(Set(ids).count == 3)
        let dump = try engine.dump()
        #expect(dump.jobs.count == 3 && dump.payloads.count == 3 && dump.flows.isEmpty && dump.customIDs.count == 3)
    }

    @Test func `parts out of turn and beyond their totals are refused`() throws {
        let (totals, tails) = parts([chain(3)], nodes: 1)
        #expect(try stage(.next, totals, tails[1]) == .stageMismatch)
        #expect(try stage(.first, totals, tails[0]) == .ok)
        #expect(try stage(.first, totals, tails[0]) == .stageMismatch, "it has begun")
        #expect(try stage(.first, totals, tails[0]) == .ok, "the refusal dropped it")
        #expect(try stage(.last, totals, tails[1]) == .stageMismatch, "a job is missing")
        var other = totals
        other.jobs += 1
        #expect(try stage(.first, totals, tails[0]) == .ok)
        #expect(try stage(.next, other, tails[1]) == .stageMismatch)
        #expect(try stage(.abandon, totals, nil) == .stageMismatch)
        #expect(try stage(.first, totals, tails[0]) == .ok)
        #expect(try stage(.abandon, totals, nil) == .ok)
        #expect(try engine.dump().jobs.isEmpty)
        #expect(engine.open.engine.stagedRanges.isEmpty)
    }

    @Test func `a part whose head is refused drops the add, too`() throws {
        let (totals, tails) = parts([chain(3)], nodes: 1)
        var (none, tooMany) = (totals, totals)
        none.jobs = 0
        tooMany.items = 10_001
        for (wrong, code) in [(none, ErrorCode.emptyAdd), (tooMany, .tooManyJobs)] {
            #expect(try stage(.first, totals, tails[0]) == .ok)
            #expect(try stage(.next, wrong, tails[1]) == code)
            #expect(engine.open.engine.stagedRanges.isEmpty)
        }
        #expect(try stage(.first, totals, tails[0]) == .ok)
        // An unknown part: the byte behind the sequence and the add's number.
        #expect(try stage(.next, totals, tails[1]) { $0.patch(UInt32(9) | totals.jobs << 8, at: 12) } == .invalidOption)
        #expect(engine.open.engine.stagedRanges.isEmpty)
        #expect(try engine.dump().jobs.isEmpty)
    }

    @Test func `an add can be abandoned whatever its totals are said to be`() throws {
        let (totals, tails) = parts([chain(3)], nodes: 1)
        #expect(try stage(.first, totals, tails[0]) == .ok)
        #expect(try stage(.abandon, Stage.Totals(jobs: 0, items: 0, bytes: .max), nil) == .ok)
        #expect(engine.open.engine.stagedRanges.isEmpty)
    }

    @Test func `the outcome of the largest add fits a frame behind others`() throws {
        let items = PenstockWire.Limits.itemsPerAddMax * 24
        let existing = PenstockWire.Limits.stagedExistingMax * 12
        let heads = FrameHeader.byteCount + 12 + 22 + 22 + 2
        #expect(OutcomeGatherer.bodyBytesMax + heads + items + existing <= PenstockWire.Limits.frameBytesMax)
    }

    @Test func `an add goes with the session that has not finished it`() throws {
        let (totals, tails) = parts([chain(5)], nodes: 2)
        #expect(try stage(.first, totals, tails[0]) == .ok)
        engine.stage(.endSession, engine.session)
        try engine.commit()
        #expect(try engine.dump().jobs.isEmpty)
        #expect(engine.open.engine.stagedRanges.isEmpty)
    }

    @Test func `a large add becomes ready slice by slice, also over a restart`() throws {
        engine.checks = false
        let count = 45_000
        let items = (0..<9).map { flow in
            ItemSpec.flow("f\(flow)", (0..<count / 9).map { job("n\(flow)-\($0)") })
        }
        let added = try publish(items, nodes: 9_999)
        #expect(added.items.map(\.nodes) == Array(repeating: UInt32(count / 9), count: 9))
        #expect(try engine.queue()[.waiting] == UInt32(count), "all are there at once")
        let ready = try engine.ready().count
        #expect(ready >= 20_000 && ready < count)
        try engine.restart()
        var slices = 0
        while engine.open.engine.isSettling {
            engine.stage(.carryOn, engine.session)
            try engine.commit()
            slices += 1
        }
        #expect(slices > 10)
        let ids = try engine.ready().map(\.job)
        #expect(ids == ids.sorted() && ids.count == count)
        try engine.check()
    }

    @Test func `other adds may come between the parts, large ones too`() throws {
        let items = [ItemSpec.flow("named", [job("a"), job("b", after: [.node("a")]), job("c", after: [.node("b")])])]
        let (totals, tails) = parts(items, nodes: 1)
        #expect(try stage(.first, totals, tails[0], add: 1) == .ok)
        let between = try engine.add(.flow("between", [job("x")]))
        #expect(try stage(.first, totals, tails[0], add: 2) == .ok)
        #expect(try stage(.next, totals, tails[1], add: 1) == .ok)
        #expect(try stage(.next, totals, tails[1], add: 2) == .ok)
        #expect(try stage(.last, totals, tails[2], add: 1) == .ok)
        let first = try engine.added(engine.session.next - 1, items)
        #expect(try stage(.last, totals, tails[2], add: 2) == .ok)
        let second = try engine.added(engine.session.next - 1, items)
        #expect(try engine.flow(first.flow).name == "named" && engine.flow(second.flow).name == "named")
        #expect(try engine.ready().map(\.job).sorted() == [first["a"], between["x"], second["a"]].sorted())
    }

    @Test func `a session has a bounded number of large adds under way`() throws {
        let (totals, tails) = parts([chain(2)], nodes: 1)
        for add in 1...8 { #expect(try stage(.first, totals, tails[0], add: UInt32(add)) == .ok) }
        #expect(try stage(.first, totals, tails[0], add: 9) == .full)
        #expect(try stage(.last, totals, tails[1], add: 1) == .ok)
        #expect(try stage(.first, totals, tails[0], add: 9) == .ok)
    }

    @Test func `what a large add has not published is in no list, and has the defaults of its queue`() throws {
        try engine.set([.defaults]) { $0.defaults.attempts = 4 }
        let (totals, last) = try stageMost([chain(3), .single(job("late") { $0.delay = 60 })], nodes: 1)
        #expect(try engine.list(.waitingChildren) == [] && engine.list(.delayed) == [])
        #expect(try stage(.last, totals, last) == .ok)
        #expect(try engine.list(.waitingChildren).count == 2 && engine.list(.delayed).count == 1)
        let first = try #require(try engine.ready().first)
        #expect(try engine.view(first.job).options.attempts == 4)
    }

    @Test func `the part with which a large add goes beyond a queue's length drops it`() throws {
        try engine.add(job("known"))
        try engine.set([.maxLength]) { $0.maxLength = 3 }
        let (totals, tails) = parts([chain(3)], nodes: 1)
        #expect(try stage(.first, totals, tails[0]) == .ok)
        #expect(try stage(.next, totals, tails[1]) == .ok)
        #expect(try stage(.last, totals, tails[2]) == .queueFull)
        #expect(try engine.dump().jobs.count == 1)
        let (smaller, both) = parts([chain(2)], nodes: 1)
        #expect(try stage(.first, smaller, both[0], add: 2) == .ok)
        // Others may have filled the queue between two parts.
        try engine.add(job("between"))
        #expect(try stage(.last, smaller, both[1], add: 2) == .queueFull)
        try engine.complete(engine.ready()[0].job)
        #expect(try stage(.first, smaller, both[0], add: 3) == .ok)
        #expect(try stage(.last, smaller, both[1], add: 3) == .ok)
    }
}

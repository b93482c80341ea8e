import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

@Suite(.computing) struct CustomIDTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    @Test func `an id that is taken returns the stored job, in its queue only`() throws {
        let first = try engine.add(job("first", id: "order"))
        #expect(try engine.add(job("second", id: "order")) == first)
        #expect(try engine.view(first).name == "first")
        let other = try engine.add(job("other", queue: "r", id: "order"))
        #expect(other != first)
        #expect(try engine.view(.custom(queue: "q", id: "order")).id == first)
        #expect(try engine.view(.custom(queue: "r", id: "order")).id == other)
        #expect(try refusal { _ = try engine.view(.custom(queue: "q", id: "none")) } == .jobNotFound)
        #expect(try refusal { _ = try engine.view(.custom(queue: "none", id: "order")) } == .jobNotFound)
    }

    @Test func `a whole flow of custom ids added again changes nothing, in whatever state it is`() throws {
        let specs = ItemSpec.flow(
            "f",
            [
                job("a", id: "a"), job("b", after: [.node("a")], id: "b"),
                job("c", after: [.node("a", .ignore), .node("b")], id: "c") { $0.delay = 100 },
            ]
        )
        let first = try engine.add(specs)
        func addAgain() throws {
            var before = try bytes(of: engine.open.environment, engine.open.reader)
            let again = try engine.add(specs)
            #expect(again.ids == first.ids && again.flow == .none)
            var after = try bytes(of: engine.open.environment, engine.open.reader)
            for name in ["meta", "outcomes"] { (before[name], after[name]) = (nil, nil) }
            #expect(before == after)
        }
        try addAgain()
        let lease = try engine.lease(first["a"])
        try addAgain()
        engine.stageWrite(lease)
        try engine.commit()
        try addAgain()
        for name in ["a", "b"] {
            try engine.complete(first[name])
            try addAgain()
        }
        engine.advance(100)
        try addAgain()
        try engine.promote()
        try engine.complete(first["c"])
        try addAgain()
    }

    @Test func `a flow that lost an edge to remove is added again without a change`() throws {
        let specs = ItemSpec.flow([
            job("bad", id: "bad") { $0.onFailure = .remove }, job("good", id: "good"),
            job("end", after: [.node("bad"), .node("good")], id: "end") { $0.delay = 50 },
        ])
        let first = try engine.add(specs)
        try engine.fail(first["bad"])
        for _ in 0..<3 {
            let before = try engine.record(first["end"])
            #expect(try engine.add(specs).ids == first.ids)
            let after = try engine.record(first["end"])
            #expect(before?.state == after?.state && before?.dependencies.positions == after?.dependencies.positions)
            if try engine.state(first["good"]) == .waiting { try engine.complete(first["good"]) }
            engine.advance(50)
            try engine.promote()
        }
        try engine.complete(first["end"])
        #expect(try engine.add(specs).ids == first.ids)
    }

    @Test func `a stored job that waits is given a dependency, and waits for it`() throws {
        let a = try engine.add(job("a", id: "a"))
        let added = try engine.add(.flow([job("new"), job("a", after: [.node("new")], id: "a")]))
        #expect(engine.result.withdrawn.map(\.job) == [a])
        #expect(engine.result.ready.map(\.job) == [added["new"]])
        #expect(try engine.state(a) == .waitingChildren)
        #expect(added.items[0].existing == [.init(node: 1, job: a)])
        try engine.complete(added["new"])
        // It keeps its place.
        let b = try engine.add(job("b"))
        #expect(try engine.ready().map(\.job) == [a, b])
    }

    @Test func `a delayed job that is given a dependency begins its delay at the release`() throws {
        let a = try engine.add(job("a", id: "a") { $0.delay = 1_000 })
        engine.advance(900)
        let added = try engine.add(.flow([job("new"), job("a", after: [.node("new")], id: "a")]))
        #expect(try engine.state(a) == .waitingChildren)
        #expect(engine.result.nextDue == .max)
        try engine.complete(added["new"])
        #expect(try engine.view(a).dueIn == 1_000)
    }

    @Test func `an edge that is stored is not new, and only what is new of an add is hung`() throws {
        let a = try engine.add(job("a", id: "a"))
        let b = try engine.add(job("b", after: [.job(a)], id: "b"))
        let added = try engine.add(.flow([job("c"), job("b", after: [.job(a, .ignore), .node("c")], id: "b")]))
        #expect(try engine.edges(b).map(\.dependency) == [a, added["c"]])
        #expect(try engine.edges(b).map(\.policy) == [.failParent, .failParent])
    }

    @Test func `a stored job that has ended serves as a dependency at once`() throws {
        let good = try engine.add(job("good", id: "good"))
        let bad = try engine.add(job("bad", id: "bad"))
        try engine.complete(good, .json, [5])
        try engine.fail(bad)
        let added = try engine.add(
            .flow([
                job("good", id: "good"), job("bad", id: "bad"), job("x", after: [.node("good")]),
                job("fails", after: [.node("bad")]), job("above", after: [.node("fails")]),
                job("ignores", after: [.node("bad", .ignore)]), job("removes", after: [.node("bad", .remove)]),
                job("continues", after: [.node("x"), .node("bad", .continue)]),
                job("waits", after: [.node("good"), .node("bad", .wait)]),
            ])
        )
        #expect(
            try engine.states(added, "x", "fails", "above", "ignores", "removes", "continues", "waits")
                == [.waiting, .failed, .failed, .waiting, .waiting, .waiting, .waitingChildren]
        )
        #expect(try engine.view(added["fails"]).failedDependency == bad)
        #expect(try engine.view(added["removes"]).dependencies.total == 0)
        #expect(try engine.kinds(added["waits"]) == [.processed, .unprocessed])
        #expect(try engine.view(bad).dependents == 4)
    }
}

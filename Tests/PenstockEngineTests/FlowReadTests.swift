import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

@Suite(.computing) struct FlowReadTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    private func list(_ request: ListFlows) throws -> FlowPage {
        try engine.open.read { try engine.open.reads.flows(request, $0, engine.lookup) }
    }

    private func walk(_ request: ListFlows) throws -> [FlowID] {
        var request = request
        var found: [FlowID] = []
        repeat {
            let page = try list(request)
            found += page.rows.map(\.id)
            request.cursor = page.next
        } while request.cursor != 0
        return found
    }

    private func tree(_ job: JobID, depth: UInt16 = 0, width: UInt16 = 0) throws -> FlowTree {
        let request = GetTree(job: job, depth: depth, width: width)
        return try engine.open.read { try engine.open.reads.tree(request, $0, engine.lookup) }
    }

    @Test(arguments: [0, 1, 2] as [UInt32])
    func `flows are found by name, status and time, in either order, page by page`(rows: UInt32) throws {
        engine.checks = false
        var flows: [FlowID] = []
        var times: [UInt64] = []
        for index in 0..<9 {
            engine.advance(1_000)
            times.append(engine.wall)
            let name = ["", "a", "ab"][index % 3]
            let added = try engine.add(.flow(name, [job("x"), job("y", after: [.node("x")])]))
            flows.append(added.flow)
            if index % 2 == 0 { try engine.complete(added["x"]) }
            if index % 4 == 0 { try engine.complete(added["y"]) }
        }
        #expect(try walk(ListFlows(rows: rows)) == flows.reversed())
        #expect(try walk(ListFlows(oldestFirst: true, rows: rows)) == flows)
        for (name, first) in [("a", 1), ("ab", 2)] {
            let named = [flows[first], flows[first + 3], flows[first + 6]]
            #expect(try walk(ListFlows(name: name, oldestFirst: true, rows: rows)) == named)
            #expect(try walk(ListFlows(name: name, rows: rows)) == named.reversed())
        }
        #expect(try walk(ListFlows(name: "b", rows: rows)).isEmpty)
        #expect(try walk(ListFlows(name: "b", oldestFirst: true, rows: rows)).isEmpty)
        let completed = [flows[0], flows[4], flows[8]]
        #expect(try walk(ListFlows(status: .completed, oldestFirst: true, rows: rows)) == completed)
        let between = ListFlows(createdFrom: times[2], createdTo: times[5], oldestFirst: true, rows: rows)
        #expect(try walk(between) == Array(flows[2..<5]))
        let first = try #require(try list(ListFlows(oldestFirst: true)).rows.first)
        #expect(first.counts[.completed] == 2 && first.createdAt == times[0] && first.status == .completed)
    }

    @Test func `a cursor of another query is refused`() throws {
        engine.checks = false
        let a = try engine.add(.flow("a", (0..<4).map { job("\($0)") } + [job("d", after: (0..<4).map { .index($0) })]))
        let b = try engine.add(.flow("b", (0..<4).map { job("\($0)") } + [job("d", after: (0..<4).map { .index($0) })]))
        let reads = engine.open.reads
        func dependencies(_ job: JobID, _ kind: DependencyKind, _ cursor: UInt64) throws -> UInt64 {
            let request = GetDependencies(job: job, pages: [.init(kind: kind, cursor: cursor, rows: 1)])
            return try engine.open.read { try reads.dependencies(request, $0) }.pages[0].next
        }
        let next = try dependencies(a["d"], .unprocessed, 0)
        #expect(try dependencies(a["d"], .unprocessed, next) != 0)
        #expect(try refusal { _ = try dependencies(b["d"], .unprocessed, next) } == .invalidCursor)
        #expect(try refusal { _ = try dependencies(a["d"], .processed, next) } == .invalidCursor)
        func nodes(_ flow: FlowID, _ cursor: UInt64) throws -> UInt64 {
            let request = GetFlowNodes(flow: flow, cursor: cursor, rows: 1)
            return try engine.open.read { try reads.flowNodes(request, $0, NoLeases()) }.next
        }
        #expect(try refusal { _ = try nodes(b.flow, nodes(a.flow, 0)) } == .invalidCursor)
        #expect(try refusal { _ = try nodes(a.flow, next) } == .invalidCursor)
        let page = try list(ListFlows(name: "", oldestFirst: true, rows: 1))
        #expect(page.next != 0)
        #expect(
            try refusal { _ = try list(ListFlows(name: "a", oldestFirst: true, cursor: page.next)) } == .invalidCursor
        )
        #expect(try refusal { _ = try list(ListFlows(cursor: page.next)) } == .invalidCursor)
    }

    @Test func `a tree lists each job before its dependencies, and a shared one once with its children`() throws {
        let flow = try engine.add(
            .flow(
                "t",
                [
                    job("leaf"), job("shared", after: [.node("leaf")]), job("left", after: [.node("shared")]),
                    job("right", queue: "r", after: [.node("shared", .ignore)]),
                    job("root", after: [.node("left"), .node("right")]),
                ]
            )
        )
        let whole = try tree(flow["root"])
        #expect(whole.isWhole)
        #expect(whole.rows.map(\.name) == ["root", "left", "shared", "leaf", "right", "shared"])
        #expect(whole.rows.map(\.parent) == [nil, 0, 1, 2, 0, 4])
        #expect(whole.rows.map(\.isListedAbove) == [false, false, false, false, false, true])
        #expect(whole.rows[5].edge.policy == .ignore && whole.rows[4].queue == "r")
        let flat = try tree(flow["root"], depth: 1)
        #expect(!flat.isWhole && flat.rows.map(\.name) == ["root", "left", "right"])
        #expect(flat.rows.map(\.isCut) == [false, true, true])
        let narrow = try tree(flow["root"], width: 1)
        #expect(narrow.rows.map(\.name) == ["root", "left", "shared", "leaf"] && narrow.rows[0].isCut)
        #expect(try tree(flow["leaf"]).rows.count == 1)
        #expect(try refusal { _ = try tree(JobID(99)) } == .jobNotFound)
    }

    @Test func `a tree of more rows than a page is cut, and says where`() throws {
        engine.checks = false
        let flow = try engine.add(
            .flow("t", (0..<1_500).map { job("\($0)") } + [job("root", after: (0..<1_500).map { .index($0) })])
        )
        let cut = try tree(flow["root"])
        #expect(cut.rows.count == 1_000 && cut.rows[0].isCut && !cut.isWhole && cut.rows[0].dependencies == 1_500)
        var chain = [job("0")]
        for index in 1..<1_200 { chain.append(job("\(index)", after: [.index(index - 1)])) }
        let deep = try engine.add(.flow("d", chain))
        let rows = try tree(deep["1199"])
        #expect(rows.rows.count == 1_000 && rows.rows[999].isCut)
    }
}

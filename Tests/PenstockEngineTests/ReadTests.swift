import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

@Suite(.computing) struct ReadTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    @Test func `a job's view has all that was stored`() throws {
        let dependency = try engine.add(job("dependency"))
        let id = try engine.add(
            job("mail", queue: "mails", after: [.job(dependency)], id: "mail-1", data: [1, 2, 3]) {
                $0.priority = 9
                $0.delay = 50
                $0.attempts = 4
                $0.backoff = Backoff(kind: .exponential, delay: 10, maximum: 100, jitter: 200)
                $0.lifo = true
                $0.onFailure = .wait
                $0.maxStalledCount = 7
            }
        )
        let view = try engine.view(.custom(queue: "mails", id: "mail-1"))
        #expect(view.id == id && view.name == "mail" && view.customID == "mail-1" && view.data == [1, 2, 3])
        #expect(view.options.priority == 9 && view.options.delay == 50 && view.options.attempts == 4)
        #expect(view.options.backoff == Backoff(kind: .exponential, delay: 10, maximum: 100, jitter: 200))
        #expect(view.options.lifo && view.options.onFailure == .wait && view.options.maxStalledCount == 7)
        #expect(view.createdAt == engine.wall && view.contentType == .binary && view.state == .waitingChildren)
        #expect(try refusal { _ = try engine.view(JobID(99)) } == .jobNotFound)
        #expect(try refusal { _ = try engine.queue("none") } == .queueNotFound)
        #expect(try refusal { _ = try engine.flow(FlowID(9)) } == .flowNotFound)
    }

    private func pages(_ job: JobID, _ kind: DependencyKind, rows: UInt32) throws -> [[DependencyPages.Row]] {
        var pages: [[DependencyPages.Row]] = []
        var cursor: UInt64 = 0
        repeat {
            let request = GetDependencies(job: job, pages: [.init(kind: kind, cursor: cursor, rows: rows)])
            let answer = try engine.open.read { try engine.open.reads.dependencies(request, $0) }
            pages.append(answer.pages[0].rows)
            cursor = answer.pages[0].next
        } while cursor != 0
        return pages
    }

    @Test(arguments: [1, 3, 7, 0] as [UInt32])
    func `a walk gives every dependency of its kind once, in order`(rows: UInt32) throws {
        engine.checks = false
        var nodes = (0..<20).map { job("\($0)") }
        nodes.append(
            job("d", after: (0..<20).map { .index($0, [.ignore, .failParent, .remove, .ignore][$0 % 4]) })
        )
        let flow = try engine.add(.flow(nodes))
        for index in 0..<20 where index % 5 != 4 {
            if index % 4 == 0 || index % 4 == 2 {
                try engine.fail(flow["\(index)"])
            } else {
                try engine.complete(flow["\(index)"], .json, [UInt8](repeating: UInt8(index), count: index * 10))
            }
        }
        let remaining = (0..<20).filter { $0 % 5 == 4 || $0 % 4 != 2 }
        let wanted: [(DependencyKind, [Int])] = [
            (.unprocessed, remaining.filter { $0 % 5 == 4 }),
            (.processed, remaining.filter { $0 % 5 != 4 && $0 % 4 % 2 == 1 }),
            (.ignored, remaining.filter { $0 % 5 != 4 && $0 % 4 == 0 }), (.failed, []),
        ]
        for (kind, indexes) in wanted {
            let pages = try pages(flow["d"], kind, rows: rows)
            #expect(pages.allSatisfy { rows == 0 || $0.count <= Int(rows) })
            #expect(pages.flatMap { $0 }.map(\.position) == indexes.map(UInt32.init))
            #expect(pages.flatMap { $0 }.map(\.job) == indexes.map { flow["\($0)"] })
            for row in pages.flatMap({ $0 }) {
                let index = Int(row.position)
                #expect(row.name == "\(index)" && row.queue == "q")
                switch kind {
                case .unprocessed, .failed: #expect(row.outcome == .none)
                case .processed:
                    #expect(row.outcome == .result(.json, [UInt8](repeating: UInt8(index), count: index * 10)))
                case .ignored: #expect(row.outcome == .failure(message: "no", details: []))
                }
            }
        }
        let totals = try engine.open.read { try engine.open.reads.dependencyTotals(of: flow["d"], $0) }
        #expect(totals.counts.unprocessed == UInt32(wanted[0].1.count))
        #expect(totals.counts.processed == UInt32(wanted[1].1.count))
        #expect(totals.counts.ignored == UInt32(wanted[2].1.count) && totals.counts.failed == 0)
    }

    @Test func `pages of large results end early, and always go on`() throws {
        engine.checks = false
        let flow = try engine.add(.flow((0..<6).map { job("\($0)") } + [job("d", after: (0..<6).map { .index($0) })]))
        for index in 0..<6 { try engine.complete(flow["\(index)"], .binary, [UInt8](repeating: 1, count: 700_000)) }
        let pages = try pages(flow["d"], .processed, rows: 0)
        #expect(pages.map(\.count) == [2, 2, 2])
        #expect(pages.flatMap { $0 }.map(\.position) == [0, 1, 2, 3, 4, 5])
        let bad = GetDependencies(job: flow["d"], pages: [.init(kind: .processed, cursor: 77)])
        #expect(
            try refusal { _ = try engine.open.read { try engine.open.reads.dependencies(bad, $0) } } == .invalidCursor
        )
    }

    @Test func `all pages of one answer fit a frame, and one that comes back empty can be gone on with`() throws {
        engine.checks = false
        let size = PenstockWire.Limits.payloadBytesMax
        let names = (0..<4).map { String(repeating: "\($0)", count: 255) }
        let flow = try engine.add(
            .flow(
                [job("f"), job("u")] + names.map { job($0) }
                    + [job("d", after: [.node("f", .ignore), .node("u")] + names.map { .node($0) })]
            )
        )
        try engine.fail(flow["f"], message: String(repeating: "m", count: 4096))
        for name in names { try engine.complete(flow[name], .binary, [UInt8](repeating: 1, count: size - 1)) }
        let kinds: [DependencyKind] = [.processed, .ignored, .unprocessed, .failed]
        var pages = kinds.map { GetDependencies.Page(kind: $0) }
        var found: [DependencyKind: [UInt32]] = [:]
        var counts: [[Int]] = []
        while !pages.isEmpty {
            let request = GetDependencies(job: flow["d"], pages: pages)
            let answer = try engine.open.read { try engine.open.reads.dependencies(request, $0) }
            var writer = WireWriter()
            answer.encodeFrame(into: &writer, correlation: 0)
            #expect(writer.count <= PenstockWire.Limits.frameBytesMax)
            counts.append(answer.pages.map(\.rows.count))
            for page in answer.pages { found[page.kind, default: []] += page.rows.map(\.position) }
            pages = answer.pages.filter { $0.next != 0 }.map { .init(kind: $0.kind, cursor: $0.next) }
        }
        // The edges of kinds that found no room begin at position 0: their cursors are none all the same.
        #expect(counts == [[1, 0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1]])
        #expect(found == [.processed: [2, 3, 4, 5], .ignored: [0], .unprocessed: [1], .failed: []])
    }

    @Test func `an edge that was decided by hand does not bear how its dependency ended`() throws {
        let flow = try engine.add(.flow([job("a"), job("d", after: [.node("a", .wait)])]))
        try engine.fail(flow["a"])
        try engine.resolve(flow["d"], flow["a"], to: .processed)
        let request = GetDependencies(job: flow["d"], pages: [.init(kind: .processed)])
        let answer = try engine.open.read { try engine.open.reads.dependencies(request, $0) }
        #expect(answer.pages[0].rows.map(\.outcome) == [.none])
    }

    private func dependents(_ job: JobID, rows: UInt32) throws -> [JobID] {
        var found: [JobID] = []
        var cursor: UInt64 = 0
        repeat {
            let request = GetDependents(job: job, cursor: cursor, rows: rows)
            let page = try engine.open.read { try engine.open.reads.dependents(request, $0) }
            #expect(rows == 0 || page.rows.count <= Int(rows))
            found += page.rows.map(\.job)
            cursor = page.next
        } while cursor != 0
        return found
    }

    @Test(arguments: [1, 2, 0] as [UInt32])
    func `dependents come in the order of their ids, the inline one among them`(rows: UInt32) throws {
        // Stored jobs with lower ids are hung on a newer one, whose first dependent has a higher id.
        let old = try (0..<3).map { try engine.add(job("old", id: "o\($0)")) }
        let flow = try engine.add(
            .flow([
                job("top"), job("x", after: [.node("top")]), job("o0", after: [.node("top")], id: "o0"),
                job("o2", after: [.node("top")], id: "o2"), job("y", after: [.node("top", .remove)]),
            ])
        )
        #expect(try dependents(flow["top"], rows: rows) == [old[0], old[2], flow["x"], flow["y"]])
        try engine.fail(flow["top"])
        #expect(try dependents(flow["top"], rows: rows) == [old[0], old[2], flow["x"]])
        #expect(try dependents(flow["y"], rows: rows).isEmpty)
    }

    @Test func `a flow's nodes and edges, page by page`() throws {
        let outside = try engine.add(job("outside"))
        let flow = try engine.add(
            .flow(
                "f",
                (0..<10).map { index in
                    job("\(index)", after: (0..<index).map { .index($0) } + (index % 3 == 0 ? [.job(outside)] : []))
                }
            )
        )
        let lease = try engine.lease(outside)
        engine.stageComplete(lease)
        try engine.commit()
        _ = try engine.lease(flow["0"])
        for rows in [0, 1, 4] as [UInt32] {
            var nodes: [FlowNodePage.Row] = []
            var cursor: UInt64 = 0
            repeat {
                let request = GetFlowNodes(flow: flow.flow, cursor: cursor, rows: rows)
                let page = try engine.open.read { try engine.open.reads.flowNodes(request, $0, engine.lookup) }
                nodes += page.rows
                cursor = page.next
            } while cursor != 0
            #expect(nodes.map(\.job) == (0..<10).map { flow["\($0)"] })
            #expect(nodes.map(\.state) == [.active] + Array(repeating: .waitingChildren, count: 9))
            #expect(nodes[3].dependencies == DependencyCounts(unprocessed: 3, processed: 1))
            var edges: [FlowEdgePage.Row] = []
            var edgeCursor = FlowEdgeCursor.start
            repeat {
                let request = GetFlowEdges(flow: flow.flow, cursor: edgeCursor, rows: rows)
                let page = try engine.open.read { try engine.open.reads.flowEdges(request, $0) }
                edges += page.rows
                edgeCursor = page.next
            } while edgeCursor != .start
            #expect(edges.count == 45 + 4)
            #expect(Set(edges.map { "\($0.dependent).\($0.position)" }).count == 49)
        }
        let bad = GetFlowNodes(flow: flow.flow, cursor: 1_000)
        #expect(
            try refusal { _ = try engine.open.read { try engine.open.reads.flowNodes(bad, $0, NoLeases()) } }
                == .invalidCursor
        )
    }
}

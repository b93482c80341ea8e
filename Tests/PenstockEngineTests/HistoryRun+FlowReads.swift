import PenstockWire
import Testing

@testable import PenstockEngine

/// Reads that walk over flows and trees, against the model.
extension HistoryRun {
    /// A leased job is active for every reader.
    func stateForReaders(_ job: Model.Job) -> JobState {
        job.state == .waiting && engine.leases[job.id] != nil ? .active : job.state
    }

    func compareFlowList(_ model: Model, _ problems: inout Problems) throws {
        let oldestFirst = checks.below(2) == 0
        let status = checks.below(2) == 0 ? nil : FlowStatus.allCases[checks.below(FlowStatus.allCases.count)]
        var found: [FlowID] = []
        var cursor: UInt64 = 0
        repeat {
            var request = ListFlows(oldestFirst: oldestFirst, cursor: cursor, rows: UInt32(1 + checks.below(5)))
            request.status = status
            let page = try engine.open.read { try engine.open.reads.flows(request, $0, engine.lookup) }
            try #require(page.rows.count <= request.rows)
            for row in page.rows {
                guard let jobs = model.flows[row.id] else { continue }
                problems.expect(row.status == model.status(of: row.id), "flow \(row.id) is listed as \(row.status)")
                compare(row.counts, jobs, "flow \(row.id) in the list", &problems)
            }
            found += page.rows.map(\.id)
            cursor = page.next
        } while cursor != 0
        var expected = model.flows.keys.filter { status == nil || model.status(of: $0) == status }.sorted()
        if !oldestFirst { expected.reverse() }
        problems.expect(found == expected, "the list of flows has others, or in another order")
    }

    func compareGraph(of flow: FlowID, _ model: Model, _ problems: inout Problems) throws {
        let jobs = model.flows[flow]!.sorted { $0.id < $1.id }
        var nodes: [FlowNodePage.Row] = []
        var cursor: UInt64 = 0
        repeat {
            let request = GetFlowNodes(flow: flow, cursor: cursor, rows: UInt32(1 + checks.below(5)))
            let page = try engine.open.read { try engine.open.reads.flowNodes(request, $0, engine.lookup) }
            nodes += page.rows
            cursor = page.next
        } while cursor != 0
        let isSame =
            nodes.map(\.job) == jobs.map(\.id) && nodes.map(\.queue) == jobs.map(\.queue)
            && nodes.map(\.state) == jobs.map(stateForReaders) && nodes.map(\.cause) == jobs.map(\.cause)
            && nodes.map { Int($0.attemptsMade) } == jobs.map(\.made)
        problems.expect(isSame, "a walk over the nodes of flow \(flow) gives others")
        var edges: [FlowEdgePage.Row] = []
        var edgeCursor = FlowEdgeCursor(job: .none, position: 0)
        repeat {
            let request = GetFlowEdges(flow: flow, cursor: edgeCursor, rows: UInt32(1 + checks.below(5)))
            let page = try engine.open.read { try engine.open.reads.flowEdges(request, $0) }
            edges += page.rows
            edgeCursor = page.next
        } while edgeCursor != FlowEdgeCursor(job: .none, position: 0)
        let expected = jobs.flatMap(\.edges)
        let areSame =
            edges.map(\.dependent) == expected.map(\.dependent.id) && edges.map(\.position) == expected.map(\.position)
            && edges.map(\.dependency) == expected.map(\.dependency.id) && edges.map(\.kind) == expected.map(\.kind)
        problems.expect(areSame, "a walk over the edges of flow \(flow) gives others")
    }

    /// Every row lists the first of its job's dependencies, or all of them.
    func compareTree(of root: Model.Job, _ model: Model, _ problems: inout Problems) throws {
        let limits = (depth: checks.below(4), width: checks.below(4))
        let request = GetTree(job: root.id, depth: UInt16(limits.depth), width: UInt16(limits.width))
        let tree = try engine.open.read { try engine.open.reads.tree(request, $0, engine.lookup) }
        var children: [UInt32: [FlowTree.Row]] = [:]
        var depths: [Int] = []
        for row in tree.rows {
            if let parent = row.parent { children[parent, default: []].append(row) }
            depths.append(row.parent.map { depths[Int($0)] + 1 } ?? 0)
        }
        var listed: Set<JobID> = []
        for (index, row) in tree.rows.enumerated() {
            guard let job = model.jobs[row.job] ?? model.tombstones[row.job] else {
                problems.expect(false, "the tree of \(root.id) has job \(row.job)")
                continue
            }
            let below = children[UInt32(index)] ?? []
            let edges = job.edges.prefix(below.count)
            let isSame =
                row.queue == job.queue && row.state == stateForReaders(job) && row.dependencies == job.edges.count
                && below.map(\.job) == edges.map(\.dependency.id)
                && below.map(\.edge.position) == edges.map(\.position) && below.map(\.edge.kind) == edges.map(\.kind)
            problems.expect(isSame, "the tree of \(root.id) tells otherwise of job \(row.job)")
            problems.expect(!row.isListedAbove || listed.contains(row.job), "job \(row.job) is not listed above")
            let isWhole = row.isListedAbove || below.count == job.edges.count
            problems.expect(row.isCut != isWhole, "the tree of \(root.id) is cut at job \(row.job), or not")
            listed.insert(row.job)
            if limits.width > 0 { problems.expect(below.count <= limits.width, "the tree of \(root.id) is too wide") }
            if limits.depth > 0 { problems.expect(depths[index] <= limits.depth, "the tree of \(root.id) is too deep") }
        }
        problems.expect(tree.isWhole == !tree.rows.contains(where: \.isCut), "the tree of \(root.id) is whole, or not")
    }
}

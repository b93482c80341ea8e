import PenstockWire

/// What the server shows of one flow.
struct SeenFlow {
    var commit: UInt64 = 0
    /// It was settling when it was asked for first.
    var wasSettling = false
    var nodes: [FlowNodePage.Row] = []
    /// By dependent, in the order of their positions.
    var edges: [JobID: [FlowEdgePage.Row]] = [:]

    /// What is other than the model says; nil if nothing is.
    ///
    /// - Parameter ids: those of the model's nodes, as far as they are known.
    func difference(from model: FlowModel, ids: [JobID]) -> String? {
        let live = model.isAdded ? model.live : []
        guard nodes.count == live.count else { return "\(nodes.count) jobs, not \(live.count)" }
        var places: [JobID: Int] = [:]
        for (place, id) in ids.enumerated() { places[id] = place }
        for (row, place) in zip(nodes, live) {
            if place < ids.count && ids[place] != row.job {
                return "node \(place) is job \(row.job), not \(ids[place])"
            }
            places[row.job] = place
        }
        for (row, place) in zip(nodes, live) {
            let node = model.nodes[place]
            let isRight: Bool
            switch node.state {
            case .ready: isRight = [.waiting, .delayed, .active].contains(row.state)
            case .waitingChildren: isRight = row.state == .waitingChildren
            case .completed: isRight = row.state == .completed
            case .failed(let cause): isRight = row.state == .failed && row.cause == cause
            case .cancelled: isRight = row.state == .cancelled
            }
            if !isRight { return "node \(place), job \(row.job), is \(row.state) (\(row.cause)), not \(node.state)" }
            let shown = (edges[row.job] ?? []).map { "\(places[$0.dependency] ?? -1) \($0.kind)" }
            let expected = node.edges.map { "\($0.dependency) \($0.kind)" }
            if shown != expected { return "node \(place), job \(row.job), has the edges \(shown), not \(expected)" }
        }
        return nil
    }
}

extension Observer {
    /// The one flow of this name; nil where there is none.
    func flow(named name: String) throws -> FlowID? {
        var cursor: UInt64 = 0
        repeat {
            guard let page = try ask([ListFlows(name: name, cursor: cursor)], FlowPage.self)[0] else { return nil }
            if let row = page.rows.first { return row.id }
            cursor = page.next
        } while cursor != 0
        return nil
    }

    /// All flows that there are.
    func allFlows() throws -> [FlowPage.Row] {
        var rows: [FlowPage.Row] = []
        var cursor: UInt64 = 0
        repeat {
            guard let page = try ask([ListFlows(cursor: cursor, rows: 1000)], FlowPage.self)[0] else { return rows }
            rows += page.rows
            cursor = page.next
        } while cursor != 0
        return rows
    }

    /// A flow as it is once it has settled; nil where there is none.
    func settledFlow(_ id: FlowID) throws -> SeenFlow? {
        let end = Threads.nanoseconds + 60_000_000_000
        var wasSettling = false
        while Threads.nanoseconds < end {
            do {
                guard let view = try ask([GetFlow(flow: id)], FlowView.self)[0] else { return nil }
                if view.status != .settling {
                    var seen = try wholeFlow(id)
                    seen?.wasSettling = wasSettling
                    return seen
                }
            } catch CrashError.refused(.settling, _) {}
            wasSettling = true
            Threads.sleep(milliseconds: 5)
        }
        throw CrashError.failed("flow \(id) is settling for a minute")
    }

    private func wholeFlow(_ id: FlowID) throws -> SeenFlow? {
        var seen = SeenFlow()
        var cursor: UInt64 = 0
        repeat {
            guard let page = try ask([GetFlowNodes(flow: id, cursor: cursor, rows: 1000)], FlowNodePage.self)[0] else {
                return nil
            }
            seen.nodes += page.rows
            seen.commit = page.commit
            cursor = page.next
        } while cursor != 0
        var start = FlowEdgeCursor.start
        repeat {
            guard let page = try ask([GetFlowEdges(flow: id, cursor: start, rows: 1000)], FlowEdgePage.self)[0] else {
                return nil
            }
            for row in page.rows { seen.edges[row.dependent, default: []].append(row) }
            start = page.next
        } while start != .start
        return seen
    }

    /// A scheduler, and the counts of its queue at one moment between two runs.
    func scheduler(_ id: String, queue: String) throws -> (SchedulerPage.Row?, StateCounts) {
        while true {
            let before = try row(id)
            let counts = try queues([queue])[queue] ?? StateCounts()
            if try row(id)?.runs == before?.runs { return (before, counts) }
        }
    }

    private func row(_ id: String) throws -> SchedulerPage.Row? {
        try ask([GetSchedulers(rows: 1000)], SchedulerPage.self)[0]?.rows.first { $0.id == id }
    }
}

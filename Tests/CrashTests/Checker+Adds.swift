import PenstockWire

/// Rules 1 to 3: what was added is there, whole and once.
extension Checker {
    mutating func checkAdds() {
        ledger.forEach { key, command in
            guard case .add(let add) = command.kind, let outcome = command.outcome else { return }
            guard outcome.isOK else {
                let isFull = allowsFull && outcome.status == ErrorCode.full.rawValue
                expect(isFull, "the add \(key) was refused with \(outcome.status)")
                return
            }
            guard add.items.count == outcome.items.count else { return }
            checkFlows(key, add, outcome.items.map { ($0.flow, $0.jobIDs, Set($0.existing.map { Int($0.node) })) })
        }
        let sightings = sightings()
        for (key, nodes) in sightings { checkSighting(key, nodes) }
        checkQueues(sightings)
    }

    /// Jobs of commands that are not answered, by command and node.
    func sightings() -> [Ledger.Key: [Int: JobID]] {
        var sightings: [Ledger.Key: [Int: JobID]] = [:]
        for case (let id, let view?) in observation.jobs where index.created[id] == nil {
            guard let tag = JobTag(data: view.data), ledger[tag.key]?.outcome == nil else { continue }
            sightings[tag.key, default: [:]][tag.node] = id
        }
        return sightings
    }

    private mutating func checkSighting(_ key: Ledger.Key, _ seen: [Int: JobID]) {
        guard case .add(let add) = ledger[key]?.kind else { return }
        expect(
            observation.moment == .beforeResume,
            "\(key) is there and has no outcome, though its session has resumed"
        )
        var place = 0
        var items: [(FlowID, [JobID?], Set<Int>)] = []
        for item in add.items {
            var flow = FlowID.none
            var ids: [JobID?] = []
            var existing: Set<Int> = []
            for (offset, node) in item.nodes.enumerated() {
                let id = seen[place + offset]
                ids.append(id)
                if let id, case let view?? = observation.jobs[id] {
                    flow = view.flow
                    check(view, node, queue: add.queues[Int(node.queue)], flow: flow, key)
                } else {
                    // Its custom id may stand for a job of another add, answered or not.
                    existing.insert(offset)
                    expect(node.customID != nil, "node \(place + offset) of \(key) is not there, others of it are")
                }
            }
            place += item.nodes.count
            items.append((flow, ids, existing))
        }
        checkFlows(key, add, items)
    }

    private mutating func checkFlows(
        _ key: Ledger.Key,
        _ add: Add,
        _ items: [(flow: FlowID, ids: [JobID?], existing: Set<Int>)]
    ) {
        let ids = items.flatMap { $0.ids }
        for (item, told) in zip(add.items, items) {
            let isNew = told.existing.count < item.nodes.count
            guard item.isFlow && isNew else {
                expect(told.flow == .none, "\(key): an item without a flow has flow \(told.flow)")
                continue
            }
            guard let shown = observation.flows[told.flow] else { continue }
            guard let shown else {
                violations.append("flow \(told.flow) of \(key) is not there")
                continue
            }
            let new = item.nodes.indices.filter { !told.existing.contains($0) }
            expect(shown.view.name == item.name, "flow \(told.flow) of \(key) is called \(shown.view.name)")
            expect(
                Int(shown.view.counts.total) == new.count,
                "flow \(told.flow) of \(key) counts \(shown.view.counts.total) jobs, not \(new.count)"
            )
            expect(
                shown.nodes.map { $0.job } == new.compactMap { told.ids[$0] },
                "flow \(told.flow) of \(key) has the jobs \(shown.nodes.map { $0.job })"
            )
            var edges = shown.edges[...]
            for place in new {
                for (position, edge) in LedgerIndex.edges(of: item.nodes[place], in: add, ids).enumerated() {
                    let row = edges.popFirst()
                    expect(
                        row?.dependent == told.ids[place] && row?.position == UInt32(position)
                            && (edge.job == nil || row?.dependency == edge.job),
                        "edge \(position) of node \(place) of flow \(told.flow) of \(key) is \(row.map { "\($0)" } ?? "not there")"
                    )
                }
            }
            expect(edges.isEmpty, "flow \(told.flow) of \(key) has \(edges.count) edges too many")
            if observation.moment == .drained { checkFinished(told.flow, shown) }
        }
    }

    private mutating func checkFinished(_ flow: FlowID, _ shown: Observation.Flow) {
        expect(shown.view.status.isFinished, "flow \(flow) is \(shown.view.status) in the end")
        for edge in shown.edges {
            let isCompleted = index.completions[edge.dependency] != nil
            expect(
                isCompleted ? edge.kind == .processed : edge.kind == .failed || edge.kind == .ignored,
                "the edge from \(edge.dependent) to \(edge.dependency) is \(edge.kind) in the end"
            )
        }
    }

    /// Compares a job with the node that it was added as.
    mutating func check(_ view: JobView, _ node: AddNode, queue: String, flow: FlowID, _ key: Ledger.Key) {
        expect(
            view.queue == queue && view.name == node.name && view.data == node.data && view.flow == flow
                && view.customID == node.customID ?? "" && view.options.attempts == node.options.attempts
                && view.options.priority == node.options.priority && view.options.delay == node.options.delay
                && view.options.onFailure == node.options.onFailure && view.options.backoff == node.options.backoff
                && Int(view.dependencies.total) == node.dependencies.count,
            "job \(view.id) is not what \(key) added: \(view)"
        )
    }

    private mutating func checkQueues(_ sightings: [Ledger.Key: [Int: JobID]]) {
        for (queue, counts) in observation.queues {
            let known = index.jobsByQueue[queue] ?? []
            var expected = known.count
            for nodes in sightings.values {
                for case let view?? in nodes.values.map({ observation.jobs[$0] }) where view.queue == queue {
                    expected += 1
                }
            }
            expect(Int(counts.total) == expected, "queue \(queue) has \(counts.total) jobs; \(expected) were added")
            guard observation.moment == .drained else { continue }
            let completed = known.count { index.completions[$0] != nil }
            expect(
                counts.finished == counts.total,
                "queue \(queue) has \(counts.total - counts.finished) unfinished jobs in the end"
            )
            expect(
                Int(counts[.completed]) == completed,
                "queue \(queue) has \(counts[.completed]) completed jobs; \(completed) were accepted"
            )
        }
    }
}

import PenstockWire

/// A script's commands as messages.
extension FlowScript {
    private func job(_ index: Int) -> JobID { ids[index] }

    func send(_ command: FlowCommand, _ session: CommandSession) throws {
        func one(_ message: (UInt64) -> some WireMessage) throws {
            try session.send(message) { outcome, commit in self.take(outcome, commit, session) }
        }
        switch command {
        case .add: try add(session)
        case .cancel(let node):
            try one { Cancel(sequence: $0, target: .job(job(node)), reason: "as the test wants it") }
        case .cancelTree(let node): try one { Cancel(sequence: $0, target: .tree(job(node))) }
        case .cancelFlow: try one { Cancel(sequence: $0, target: .flow(flow)) }
        case .retry(let node): try one { Retry(sequence: $0, target: .job(job(node))) }
        case .retryQueue: try one { Retry(sequence: $0, target: .queue(queue)) }
        case .retryFlow: try one { Retry(sequence: $0, target: .flow(flow)) }
        case .finish(let node, let fails):
            let ending: Finish.Ending = fails ? .fail(message: "by hand", details: []) : .complete(.none)
            try one { Finish(sequence: $0, job: job(node), ending: ending) }
        case .resolve(let dependent, let dependency, let to):
            try one { Resolve(sequence: $0, dependent: job(dependent), dependency: job(dependency), to: to) }
        case .remove(let node, let keeps):
            try one { Remove(sequence: $0, target: .job(job(node), keepsDependencies: keeps)) }
        case .removeUnfinished(let node):
            try one { Remove(sequence: $0, target: .unprocessedDependencies(of: job(node))) }
        case .removeFlow: try one { Remove(sequence: $0, target: .flow(flow)) }
        case .clean(let state): try one { Clean(sequence: $0, queue: queue, kind: .clean(state, age: 0, limit: 0)) }
        case .obliterate: try one { Clean(sequence: $0, queue: queue, kind: .obliterate(force: true)) }
        case .addChildren, .move, .moveDelayed, .fail, .complete, .completeAdding:
            guard let lease else { return }
            try sendHeld(command, lease, session)
        }
    }

    private func sendHeld(_ command: FlowCommand, _ lease: Delivery, _ session: CommandSession) throws {
        func one(_ message: (UInt64) -> some WireMessage) throws {
            try session.send(message) { outcome, commit in self.take(outcome, commit, session) }
        }
        let (slot, token) = (lease.slot, lease.token)
        switch command {
        case .addChildren(let keys):
            let items = keys.map { key in
                let child = ChildFields(policy: FlowModel.childPolicy(key))
                return AddItem(
                    kind: .job,
                    child: child,
                    nodes: [AddNode(queue: 0, name: "child", childKey: "key \(key)")]
                )
            }
            let tail = AddTail(queues: [queue], items: items)
            try one { HeldAdd(sequence: $0, slot: slot, token: token, action: .add, add: tail) }
        case .completeAdding:
            let nodes = [AddNode(queue: 0, name: "a"), AddNode(queue: 0, name: "b", dependencies: [.init(.node(0))])]
            let tail = AddTail(
                queues: ["\(queue)/after"],
                items: [AddItem(kind: .flow, name: successor, nodes: nodes)]
            )
            try one { HeldAdd(sequence: $0, slot: slot, token: token, action: .complete, add: tail) }
        case .move: try one { Move(sequence: $0, slot: slot, token: token, to: .waitingChildren) }
        case .moveDelayed: try one { Move(sequence: $0, slot: slot, token: token, to: .delayed, delay: 20) }
        case .fail:
            try one {
                Fail(
                    sequence: $0,
                    failures: [Failure(slot: slot, token: token, unrecoverable: false, message: "as the test wants it")]
                )
            }
        default: try one { Complete(sequence: $0, completions: [Completion(slot: slot, token: token)]) }
        }
    }

    private func add(_ session: CommandSession) throws {
        let queues = [kind == .held ? desk : queue]
        let nodes = known.nodes.map { node in
            AddNode(
                queue: 0,
                name: "job",
                dependencies: node.edges.map { DependencyFields(.node(UInt64($0.dependency)), policy: $0.policy) }
            )
        }
        func part(_ range: Range<Int>, isFirst: Bool = true) -> AddTail {
            let item = AddItem(kind: isFirst ? .flow : .more, name: isFirst ? name : "", nodes: Array(nodes[range]))
            return AddTail(queues: queues, items: [item])
        }
        let count = nodes.count
        let isStaged: Bool
        if case .staged = kind { isStaged = true } else { isStaged = count > Limits.jobsPerAddMax }
        guard isStaged else {
            let tail = part(0..<count)
            return try session.send {
                Add(sequence: $0, queues: tail.queues, items: tail.items)
            } answer: {
                self.take($0, $1, session)
            }
        }
        let cuts = [0, count / 3, count * 2 / 3, count]
        let tails = (0..<3).map { part(cuts[$0]..<cuts[$0 + 1], isFirst: $0 == 0) }
        let bytes = tails.reduce(0) { sum, tail in
            var writer = WireWriter()
            tail.encode(into: &writer)
            return sum + writer.count
        }
        let totals = PenstockWire.Stage.Totals(jobs: UInt32(count), items: 1, bytes: UInt64(bytes))
        let number = FlowScript.number(of: name)
        let isAbandoned = kind == .staged(isAbandoned: true)
        var failure: (any Error)?
        for (place, tail) in tails.enumerated() {
            let part: PenstockWire.Stage.Part =
                place == 0 ? .first : place == 1 ? .next : isAbandoned ? .abandon : .last
            // All three are kept for the resume, whatever becomes of the connection meanwhile.
            do {
                try session.send {
                    PenstockWire.Stage(
                        sequence: $0,
                        add: number,
                        part: part,
                        totals: totals,
                        tail: part == .abandon ? nil : tail
                    )
                } answer: { outcome, commit in
                    if place == 2 { return self.take(outcome, commit, session) }
                    if outcome.status != 0 { self.violation("part \(place) of its add was refused: \(outcome.status)") }
                }
            } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// The number of a large add, unique in its session.
    private static func number(of name: String) -> UInt32 { UInt32(name.split(separator: "-").last ?? "") ?? 1 }
}

internal import PenstockWire

/// The jobs that are added: of one queue of a name of its own, so that a server with other jobs can be used.
struct JobSource {
    let queue = "bench-\(UInt64.random(in: 0 ... .max))"
    let payloadBytes: Int
    /// Groups that the single jobs are in, in turn; 0: they have none.
    let groups: Int

    /// The queue of a flow's parents.
    var parentQueue: String { queue + "-parents" }

    private let data: [UInt8]

    init(payloadBytes: Int, groups: Int = 0) {
        self.payloadBytes = payloadBytes
        self.groups = groups
        data = [UInt8](repeating: UInt8(ascii: "x"), count: payloadBytes)
    }

    /// One job; its data is shared with all others.
    func node(queue: UInt16 = 0, dependencies: [DependencyFields] = [], customID: String? = nil, group: String? = nil)
        -> AddNode
    {
        AddNode(
            queue: queue,
            name: "job",
            contentType: .binary,
            data: data,
            dependencies: dependencies,
            customID: customID,
            group: group
        )
    }

    /// Single jobs.
    func jobs(_ count: Int) -> [AddItem] {
        [AddItem](repeating: AddItem(isFlow: false, nodes: [node()]), count: count)
    }

    /// Single jobs in groups, beginning with the one whose turn it is.
    private func jobs(_ count: Int, from first: Int) -> [AddItem] {
        (first..<first + count).map { AddItem(isFlow: false, nodes: [node(group: "group \($0 % groups)")]) }
    }

    /// Flows of one parent and `children` children; the parents in the message's second queue.
    func flows(_ count: Int, children: Int) -> [AddItem] {
        (0..<count).map { flow in
            // A dependency counts the message's nodes, over all of its items.
            let first = flow * (children + 1)
            let dependencies = (first..<first + children).map { DependencyFields(.node(UInt64($0))) }
            let nodes = [AddNode](repeating: node(), count: children) + [node(queue: 1, dependencies: dependencies)]
            return AddItem(isFlow: true, name: "flow", nodes: nodes)
        }
    }

    /// Adds single jobs in frames of `perFrame`, as many outstanding as the add window allows.
    ///
    /// - Returns: seconds from the first frame to the last outcome.
    @discardableResult
    func add(_ count: Int, perFrame: Int = 1000, with client: WireClient) throws -> Double {
        var seconds = 0.0
        if groups > 0 {
            for first in stride(from: 0, to: count, by: perFrame) {
                let items = jobs(min(perFrame, count - first), from: first)
                seconds += try client.add(AddLoad(items, queues: [queue], frames: 1, outstandingMax: .max))
            }
            return seconds
        }
        let rest = count % perFrame
        for (jobs, frames) in [(perFrame, count / perFrame), (rest, min(rest, 1))] where frames > 0 {
            let load = AddLoad(self.jobs(jobs), queues: [queue], frames: frames, outstandingMax: .max)
            seconds += try client.add(load)
        }
        return seconds
    }
}

internal import PenstockWire

/// Adds flows of one graph frame by frame: the next frame is made when the ids of the last one are there.
///
/// Small flows go many to a frame. A large one takes several: later jobs name those of earlier frames by their ids, and
/// a fan-in's parent, which has a custom id then, stands again in each frame, with that frame's children.
struct GraphAdds {
    /// So many for every size of flow: what a job costs depends on how many share a frame.
    static let jobsPerFrame = 1000

    private let source: JobSource
    private(set) var flows: [GraphFlow]
    /// The first flow that is not added whole, and how many of its jobs, without the hub, are.
    private var flow = 0
    private var members = 0
    /// Which jobs the last frame held: for each item a flow, and the numbers of the nodes.
    private var inFlight: [(flow: Int, numbers: [Int])] = []

    init(_ graph: FlowGraph, copies: Int, source: JobSource) {
        self.source = source
        flows = (0..<copies).map { copy in
            GraphFlow(FlowGraph(shape: graph.shape, size: graph.size, seed: graph.seed &+ UInt64(copy)))
        }
    }

    /// The jobs of the next frame; nil where all are added.
    mutating func next() -> [AddItem]? {
        precondition(inFlight.isEmpty, "the frame before has no outcome yet")
        var items: [AddItem] = []
        var nodes = 0
        while flow < flows.count {
            let graph = flows[flow].graph
            let room = items.isEmpty ? Self.jobsPerFrame : Self.jobsPerFrame - nodes
            let count = min(graph.size - members, Self.jobsPerFrame)
            guard count <= room else { break }
            let numbers = self.numbers(graph, members..<members + count)
            items.append(item(numbers, firstNode: nodes))
            inFlight.append((flow, numbers))
            nodes += numbers.count
            members += count
            if members == graph.size { (flow, members) = (flow + 1, 0) }
        }
        return items.isEmpty ? nil : items
    }

    /// Notes the ids of the frame's jobs.
    mutating func take(_ outcome: AddOutcome) throws(WireError) {
        guard outcome.items.count == inFlight.count else {
            throw WireError(.malformed, "An outcome of \(outcome.items.count) items for \(inFlight.count).")
        }
        for (item, sent) in zip(outcome.items, inFlight) {
            let ids = item.jobIDs
            guard ids.count == sent.numbers.count else {
                throw WireError(.malformed, "An outcome of \(ids.count) jobs for \(sent.numbers.count).")
            }
            for (number, id) in zip(sent.numbers, ids) { flows[sent.flow].ids[number] = id }
        }
        inFlight.removeAll()
    }

    /// The numbers of a frame's jobs, in order: some members of the flow, and the hub where it is new or gets edges.
    private func numbers(_ graph: FlowGraph, _ members: Range<Int>) -> [Int] {
        switch graph.shape {
        case .fanIn: Array(members) + [graph.size]
        case .fanOut: (members.lowerBound == 0 ? [0] : []) + members.map { $0 + 1 }
        case .chain, .dag: Array(members)
        }
    }

    private func item(_ numbers: [Int], firstNode: Int) -> AddItem {
        let (graph, ids) = (flows[flow].graph, flows[flow].ids)
        var places: [Int: Int] = [:]
        for (place, number) in numbers.enumerated() { places[number] = firstNode + place }
        // Only a parent that comes again needs a name to come under.
        let isSplit = graph.size > Self.jobsPerFrame
        let nodes = numbers.map { number in
            let isParent = graph.shape == .fanIn && number == graph.hub
            // Of a parent's children, those of this frame: the others have their edges, or get them later.
            let dependencies = isParent ? Array(numbers.dropLast()) : graph.dependencies(of: number)
            return source.node(
                queue: number == graph.hub ? 1 : 0,
                dependencies: dependencies.map { dependency in
                    DependencyFields(places[dependency].map { .node(UInt64($0)) } ?? .job(ids[dependency]))
                },
                customID: isParent && isSplit ? "parent-\(flow)" : nil
            )
        }
        return AddItem(isFlow: true, name: "flow", nodes: nodes)
    }
}

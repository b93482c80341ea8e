import PenstockWire

/// A job, what it depends on, and so on downwards, exact at one moment of the server's.
///
/// The tree is a list with places in it, so that a deep one needs no deep calls:
///
/// ```swift
/// let tree = try await handle.tree(depth: 3)
/// for node in tree {
///     print(String(repeating: "  ", count: node.depth), node.name, node.state)
/// }
/// ```
///
/// A job that several others depend on is listed under each of them; what is
/// below it only where it comes first.
public struct JobTree: RandomAccessCollection, Hashable, Sendable {
    /// A job at one place of the tree.
    public struct Node: Hashable, Sendable {
        public let id: JobID
        public let queue: String
        public let name: String
        public let state: JobState
        /// Why the job failed; nil for one that has not.
        public let cause: FailureCause?
        /// Edges between the root and this node.
        public let depth: Int
        /// The place of the job that this one is listed under; nil for the root.
        public let parent: Int?
        /// The edge to that job; nil for the root.
        public let edge: FlowEdge?
        /// All dependencies of the job, listed below it or not.
        public let dependencyCount: Int
        /// The places of the dependencies that are listed below it, in the order of the dependencies.
        public fileprivate(set) var children: [Int] = []
        /// True where the same job stands at an earlier place, with what is below it.
        public let isRepeated: Bool
        /// True where not all of its dependencies are listed: depth, width or the size of the answer ended the list.
        public let isCut: Bool

        /// The key of the job: `queue:id`.
        public var key: String { "\(queue):\(id)" }
    }

    private let nodes: [Node]
    /// False where something below the root was left out.
    public let isWhole: Bool

    public var startIndex: Int { nodes.startIndex }
    public var endIndex: Int { nodes.endIndex }
    /// The nodes, each before what is below it.
    public subscript(position: Int) -> Node { nodes[position] }

    /// The job that the tree was asked for.
    public var root: Node { nodes[0] }

    /// The nodes that are listed right below a node, in the order of the dependencies.
    public func children(of node: Node) -> [Node] { node.children.map { nodes[$0] } }

    /// The first place of a job; nil where it is not in the tree.
    /// - Complexity: O(count).
    public func node(_ id: JobID) -> Node? { nodes.first { $0.id == id } }
}

extension JobTree {
    /// - Throws: `malformed` for a tree without a root.
    init(_ tree: FlowTree) throws(PenstockError) {
        guard !tree.rows.isEmpty else { throw PenstockError(.malformed, "The server's tree has no root.") }
        var nodes: [Node] = []
        nodes.reserveCapacity(tree.rows.count)
        for row in tree.rows {
            let parent = row.parent.map { Int($0) }
            if let parent { nodes[parent].children.append(nodes.count) }
            nodes.append(Node(row, parent: parent, above: parent.map { nodes[$0] }))
        }
        self.nodes = nodes
        isWhole = tree.isWhole
    }
}

extension JobTree.Node {
    fileprivate init(_ row: FlowTree.Row, parent: Int?, above: JobTree.Node?) {
        id = JobID(row.job)
        queue = row.queue
        name = row.name
        state = JobState(row.state)
        cause = FailureCause(row.cause)
        depth = above.map { $0.depth + 1 } ?? 0
        self.parent = parent
        edge = above.map {
            FlowEdge(
                dependent: $0.id,
                dependency: JobID(row.job),
                kind: DependencyKind(row.edge.kind),
                onFailure: FailurePolicy(row.edge.policy),
                condition: EdgeCondition(row.edge.condition)
            )
        }
        dependencyCount = Int(row.dependencies)
        isRepeated = row.isListedAbove
        isCut = row.isCut
    }
}

extension PenstockClient {
    /// A job, its dependencies, theirs, and so on downwards; the job may be of any flow, or of none.
    ///
    /// - Parameters:
    ///   - depth: edges between the job and the deepest one listed, 1...1,000; nil, the default: 1,000.
    ///   - width: dependencies listed of one job, at least 1; nil, the default: as many as the answer has room for.
    /// - Returns: at most 1,000 nodes; see ``JobTree/isWhole``.
    /// - Throws: ``PenstockError``; its code is `jobNotFound` where retention has taken the job.
    public func tree(
        of job: JobID,
        depth: Int? = nil,
        width: Int? = nil
    ) async throws(PenstockError) -> JobTree {
        try await tree(of: job, depth: depth, width: width, over: link)
    }

    func tree(of job: JobID, depth: Int?, width: Int?, over link: Link) async throws(PenstockError) -> JobTree {
        if let depth, depth < 1 || depth > Limits.treeDepthMax {
            throw PenstockError(.invalidRequest, "A depth of \(depth); 1 to \(Limits.treeDepthMax) are allowed.")
        }
        if let width, width < 1 {
            throw PenstockError(.invalidRequest, "A width of \(width); at least 1 is allowed.")
        }
        let request = GetTree(job: job.wire, depth: UInt16(depth ?? 0), width: UInt16(clamping: width ?? 0))
        return try JobTree(try await read(FlowTree.self, request, over: link))
    }
}

/// The jobs of a flow, and what each of them waits for.
///
/// ```swift
/// let graph = try await flow.graph()
/// for job in graph.nodes {
///     print(job.name, job.state, "after", graph.dependencies(of: job.id).map(\.dependency))
/// }
/// ```
public struct FlowGraph: Hashable, Sendable {
    /// In the order of their ids: each behind its dependencies, but for what was added at run time.
    public let nodes: [FlowNodeInfo]
    /// In the order of the dependents, those of one dependent in the order in which it has them.
    ///
    /// A dependency may be a job of another flow, which is not among the nodes.
    public let edges: [FlowEdge]
    private let indices: [JobID: Int]
    private let below: [JobID: [Int]]
    private let above: [JobID: [Int]]

    init(nodes: [FlowNodeInfo], edges: [FlowEdge]) {
        self.nodes = nodes
        self.edges = edges
        indices = Dictionary(nodes.enumerated().map { ($1.id, $0) }) { first, _ in first }
        below = Dictionary(grouping: edges.indices) { edges[$0].dependent }
        above = Dictionary(grouping: edges.indices) { edges[$0].dependency }
    }

    /// The job with an id; nil where it is not of this flow.
    public subscript(id: JobID) -> FlowNodeInfo? { indices[id].map { nodes[$0] } }

    /// What a job waits for, or waited for.
    public func dependencies(of job: JobID) -> [FlowEdge] { below[job, default: []].map { edges[$0] } }

    /// What waits for a job, within the flow.
    public func dependents(of job: JobID) -> [FlowEdge] { above[job, default: []].map { edges[$0] } }

    /// The jobs that wait for none.
    public var sources: [FlowNodeInfo] { nodes.filter { below[$0.id] == nil } }

    /// The jobs that no other one of the flow waits for: they decide how the flow has ended.
    public var sinks: [FlowNodeInfo] { nodes.filter { above[$0.id] == nil } }
}

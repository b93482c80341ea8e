/// A job of a ``Flow`` that has not been added yet.
public struct FlowNode: Hashable, Sendable {
    /// The flow it belongs to: a node means nothing in another one.
    let flow: UInt64
    let index: Int
}

/// What a job of a flow waits for.
public struct FlowDependency: Hashable, Sendable {
    enum Target: Hashable, Sendable {
        case node(FlowNode)
        case local(String)
        case job(JobID)
    }

    let target: Target
    /// What the dependent does if this dependency fails for good; nil leaves it to the dependency's own options.
    public let onFailure: FailurePolicy?

    /// Another job of the same flow.
    public init(_ node: FlowNode, onFailure: FailurePolicy? = nil) {
        target = .node(node)
        self.onFailure = onFailure
    }

    /// Another job of the same flow, by the id it is given in it; it may come later in the flow.
    public init(id: String, onFailure: FailurePolicy? = nil) {
        target = .local(id)
        self.onFailure = onFailure
    }

    /// A job that exists, whatever its state.
    public init(job: JobID, onFailure: FailurePolicy? = nil) {
        target = .job(job)
        self.onFailure = onFailure
    }
}

/// A job on its way into a plan: what the user has said about it.
struct PlannedNode: Sendable {
    var name: String
    var queue: String
    var data: any Encodable & Sendable
    var options: JobOptions
    var localID: String?
    var dependencies: [FlowDependency] = []
}

/// A job of a ``Flow`` that has not been added yet.
public struct FlowNode: Hashable, Sendable {
    /// The flow it belongs to: a node means nothing in another one.
    let flow: UInt64
    let index: Int
}

/// What a job of a flow waits for.
///
/// ```swift
/// let charge = order.add("charge", queue: "payments")
/// order.add("ship", queue: "warehouse", after: [.init(charge)])
/// order.add("apologize", queue: "mail", after: [.init(charge, condition: .failure)])
/// order.add("close", queue: "books", after: [.init(charge, condition: .whatever)])
/// ```
public struct FlowDependency: Hashable, Sendable {
    enum Target: Hashable, Sendable {
        case node(FlowNode)
        case local(String)
        case job(JobID)
    }

    let target: Target
    /// What the dependent does if this dependency fails for good; nil leaves it to the dependency's own options.
    ///
    /// Asked only under the condition `success`: the others say themselves what a failure means.
    public let onFailure: FailurePolicy?
    /// After which end of the dependency the dependent runs.
    public let condition: EdgeCondition

    /// Another job of the same flow.
    public init(_ node: FlowNode, onFailure: FailurePolicy? = nil, condition: EdgeCondition = .success) {
        self.init(.node(node), onFailure, condition)
    }

    /// Another job of the same flow, by the id it is given in it; it may come later in the flow.
    public init(id: String, onFailure: FailurePolicy? = nil, condition: EdgeCondition = .success) {
        self.init(.local(id), onFailure, condition)
    }

    /// A job that exists, whatever its state.
    public init(job: JobID, onFailure: FailurePolicy? = nil, condition: EdgeCondition = .success) {
        self.init(.job(job), onFailure, condition)
    }

    private init(_ target: Target, _ onFailure: FailurePolicy?, _ condition: EdgeCondition) {
        self.target = target
        self.onFailure = onFailure
        self.condition = condition
    }
}

/// A job on its way to the server: what the user has said about it.
///
/// A ``FlowInterceptor`` looks at it, and may change it.
public struct PlannedJob: Sendable {
    /// 1...255 bytes of UTF-8: what kind of job this is.
    public var name: String
    /// 1...128 bytes of UTF-8, without `:`.
    public var queue: String
    /// Encoded when the flow is sent; cast it to see what it is.
    public var data: any Encodable & Sendable
    /// What was given for it; the defaults of the add and the producer are filled in later.
    public var options: JobOptions
    /// Its id within the flow; nil where it was given none.
    public internal(set) var localID: String?
    /// Its key under the job that a worker holds; nil where it was given none.
    var key: String?
    /// What it waits for.
    public internal(set) var dependencies: [FlowDependency] = []
}

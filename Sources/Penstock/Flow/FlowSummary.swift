import PenstockWire

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A flow's counts and status, exact at one moment of the server's.
public struct FlowSummary: Hashable, Sendable {
    public let id: FlowID
    public let name: String
    public let status: FlowStatus
    public let counts: JobCounts
    public let createdAt: Date
    public let finishedAt: Date?
    /// What was stored with the flow; no value where nothing was, and in the summaries of a list of flows.
    public let metadata: RawPayload

    /// What was stored with the flow.
    /// - Throws: ``PenstockError/Code/decodingFailed``.
    public func metadata<Value: Decodable>(as type: Value.Type) throws(PenstockError) -> Value {
        try metadata.decode(as: type)
    }

    /// The share of the jobs that are finished, 0...1.
    public var progress: Double {
        counts.total == 0 ? 1 : Double(counts.finished) / Double(counts.total)
    }
}

/// A job of a flow, in short.
public struct FlowNodeInfo: Hashable, Sendable {
    public let id: JobID
    public let queue: String
    public let name: String
    public let state: JobState
    /// Why the job failed; nil for one that has not.
    public let cause: FailureCause?
    public let attemptsMade: Int
    public let startedAt: Date?
    public let finishedAt: Date?
    public let dependencies: DependencyCounts
}

/// One job's dependence on another.
public struct FlowEdge: Hashable, Sendable {
    /// The job that waits.
    public let dependent: JobID
    /// The job that is waited for; it may be of another flow.
    public let dependency: JobID
    /// What has become of the dependency, for this dependent.
    public let kind: DependencyKind
    /// What the dependent does if the dependency fails for good.
    public let onFailure: FailurePolicy
    /// After which end of the dependency the dependent runs.
    public let condition: EdgeCondition
}

extension PenstockClient {
    /// The counts and the status of a flow.
    public func flow(_ id: FlowID) async throws(PenstockError) -> FlowSummary {
        FlowSummary(try await read(FlowView.self, GetFlow(flow: id.wire)))
    }

    /// Every job of a flow, in the order of their ids: each behind its dependencies.
    public func flowNodes(_ id: FlowID) async throws(PenstockError) -> [FlowNodeInfo] {
        try await collect(from: UInt64(0)) { cursor throws(PenstockError) in try await flowNodes(id, at: cursor) }
    }

    /// The jobs of a flow in the order of their ids, page by page.
    ///
    /// - Parameter count: jobs in a page, 1...1,000.
    public func flowNodePages(_ id: FlowID, count: Int = 1000) -> Pages<[FlowNodeInfo]> {
        Pages { [self] cursor throws(PenstockError) in
            try Checks.page(count)
            return try await flowNodes(id, at: cursor, count: count)
        }
    }

    /// - Parameter count: 0 for as many as the server gives.
    private func flowNodes(
        _ id: FlowID,
        at cursor: UInt64,
        count: Int = 0
    ) async throws(PenstockError) -> ([FlowNodeInfo], UInt64?) {
        let request = GetFlowNodes(flow: id.wire, cursor: cursor, rows: UInt32(count))
        let page = try await read(FlowNodePage.self, request)
        return (page.rows.map(FlowNodeInfo.init), page.next == 0 ? nil : page.next)
    }

    /// Every edge of a flow, in the order of the dependents.
    public func flowEdges(_ id: FlowID) async throws(PenstockError) -> [FlowEdge] {
        try await collect(from: FlowEdgeCursor.start) { cursor throws(PenstockError) in
            let page = try await read(FlowEdgePage.self, GetFlowEdges(flow: id.wire, cursor: cursor))
            return (page.rows.map(FlowEdge.init), page.next == .start ? nil : page.next)
        }
    }

    /// A job by its id.
    public func job(_ id: JobID) async throws(PenstockError) -> JobHandle {
        JobHandle(try await read(JobView.self, GetJob(job: .id(id.wire))), self)
    }
}

extension FlowSummary {
    init(_ view: FlowView) {
        id = FlowID(rawValue: view.id.rawValue)
        name = view.name
        status = FlowStatus(view.status)
        counts = JobCounts(view.counts)
        createdAt = Date(milliseconds: view.createdAt)
        finishedAt = Date(optionalMilliseconds: view.finishedAt)
        metadata = RawPayload(view.metadata)
    }

    init(_ row: FlowPage.Row) {
        id = FlowID(rawValue: row.id.rawValue)
        name = row.name
        status = FlowStatus(row.status)
        counts = JobCounts(row.counts)
        createdAt = Date(milliseconds: row.createdAt)
        finishedAt = Date(optionalMilliseconds: row.finishedAt)
        metadata = .none
    }
}

extension FlowNodeInfo {
    init(_ row: FlowNodePage.Row) {
        id = JobID(row.job)
        queue = row.queue
        name = row.name
        state = JobState(row.state)
        cause = FailureCause(row.cause)
        attemptsMade = Int(row.attemptsMade)
        startedAt = Date(optionalMilliseconds: row.startedAt)
        finishedAt = Date(optionalMilliseconds: row.finishedAt)
        dependencies = DependencyCounts(row.dependencies)
    }
}

extension FlowEdge {
    init(_ row: FlowEdgePage.Row) {
        dependent = JobID(row.dependent)
        dependency = JobID(row.dependency)
        kind = DependencyKind(row.kind)
        onFailure = FailurePolicy(row.policy)
        condition = EdgeCondition(row.condition)
    }
}

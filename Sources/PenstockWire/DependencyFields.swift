/// One dependency of a node.
///
///     u8 kind (0 node, 1 job) | u8 policy (255: the dependency's own) | u8 condition | u8 0 | u64 target
package struct DependencyFields: Equatable, Sendable {
    package static let byteCount = 12

    package enum Target: Equatable, Sendable {
        /// A node before this one in the message, counted from 0 over all items.
        case node(UInt64)
        /// A job that exists.
        case job(JobID)
    }

    package var target: Target
    /// The edge's own policy, which wins over the dependency's.
    package var policy: FailurePolicy?
    package var condition: EdgeCondition

    package init(_ target: Target, policy: FailurePolicy? = nil, condition: EdgeCondition = .success) {
        self.target = target
        self.policy = policy
        self.condition = condition
    }

    package func encode(into writer: inout WireWriter) {
        switch target {
        case .node: writer.u8(0)
        case .job: writer.u8(1)
        }
        writer.policy(policy)
        writer.u8(condition.rawValue)
        writer.u8(0)
        switch target {
        case .node(let index): writer.u64(index)
        case .job(let id): writer.jobID(id)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let kind = try reader.u8()
        policy = try reader.policy()
        condition = try reader.condition()
        _ = try reader.u8()
        let raw = try reader.u64()
        switch kind {
        case 0: target = .node(raw)
        case 1: target = .job(JobID(raw))
        default: throw WireError(.invalidOption, "\(kind) is no kind of dependency; 0 (node) and 1 (job) are.")
        }
    }
}

/// The edges that a child of a held job hangs on it by: those from its sinks.
///
///     u8 policy (255: the dependency's own) | u8 condition
package struct ChildFields: Equatable, Sendable {
    package var policy: FailurePolicy?
    package var condition: EdgeCondition

    package init(policy: FailurePolicy? = nil, condition: EdgeCondition = .success) {
        self.policy = policy
        self.condition = condition
    }

    package func encode(into writer: inout WireWriter) {
        writer.policy(policy)
        writer.u8(condition.rawValue)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        policy = try reader.policy()
        condition = try reader.condition()
    }
}

extension WireWriter {
    /// An edge's own policy; 255 where it has none.
    fileprivate mutating func policy(_ policy: FailurePolicy?) { u8(policy?.rawValue ?? 255) }
}

extension WireReader {
    fileprivate mutating func policy() throws(WireError) -> FailurePolicy? {
        let raw = try u8()
        if raw == 255 { return nil }
        guard let policy = FailurePolicy(rawValue: raw) else {
            throw WireError(.invalidOption, "\(raw) is no failure policy; 0 to 4, or 255 for none, are.")
        }
        return policy
    }

    fileprivate mutating func condition() throws(WireError) -> EdgeCondition {
        try value(EdgeCondition.self, "condition of an edge; 0 (success), 1 (failure) and 2 (whatever) are")
    }
}

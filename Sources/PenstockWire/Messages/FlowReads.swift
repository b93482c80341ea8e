/// Asks for a flow's name, counts and status; answered by ``FlowView``.
///
///     u64 flow
package struct GetFlow: WireMessage {
    package static let opcode = Opcode.getFlow
    package static let isReply = false
    package var flow: FlowID

    package init(flow: FlowID) { self.flow = flow }
    package func encode(into writer: inout WireWriter) { writer.flowID(flow) }
    package init(from reader: inout WireReader) throws(WireError) { flow = try reader.flowID() }
}

/// Jobs by state, of a flow or a queue.
///
///     u32 waiting | u32 delayed | u32 waitingChildren | u32 active | u32 completed | u32 failed | u32 cancelled
package struct StateCounts: Equatable, Sendable {
    /// Indexed by ``JobState``'s raw value.
    package var values: [7 of UInt32] = .init(repeating: 0)

    package init() {}

    package subscript(state: JobState) -> UInt32 {
        get { values[Int(state.rawValue)] }
        set { values[Int(state.rawValue)] = newValue }
    }

    /// All of them; `UInt32.max` where the sum is beyond it, as only a corrupt reply can make it.
    package var total: UInt32 {
        var sum: UInt64 = 0
        for index in values.indices { sum += UInt64(values[index]) }
        return UInt32(clamping: sum)
    }

    /// The completed, failed and cancelled ones, bounded as ``total``.
    package var finished: UInt32 {
        UInt32(clamping: UInt64(self[.completed]) + UInt64(self[.failed]) + UInt64(self[.cancelled]))
    }

    package static func == (a: StateCounts, b: StateCounts) -> Bool {
        for index in a.values.indices where a.values[index] != b.values[index] { return false }
        return true
    }

    package func encode(into writer: inout WireWriter) {
        for index in values.indices { writer.u32(values[index]) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        for index in values.indices { values[index] = try reader.u32() }
    }
}

/// A flow's name, counts and status, exact at the commit that it names.
///
///     u64 commit | u64 id | str8 name | u8 status | u64 createdAt | u64 finishedAt | StateCounts
///     u8 metadataType | bytes32 metadata
package struct FlowView: WireMessage {
    package static let opcode = Opcode.getFlow
    package static let isReply = true

    package var commit: UInt64 = 0
    package var id = FlowID.none
    package var name = ""
    package var status = FlowStatus.running
    package var createdAt: UInt64 = 0
    package var finishedAt: UInt64 = 0
    package var counts = StateCounts()
    package var metadata = Payload.none

    package init() {}

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        writer.flowID(id)
        writer.string8(name)
        writer.u8(status.rawValue)
        writer.u64(createdAt)
        writer.u64(finishedAt)
        counts.encode(into: &writer)
        writer.payload(metadata)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        id = try reader.flowID()
        name = try reader.string8("flow name")
        status = try reader.value(FlowStatus.self, "flow status")
        createdAt = try reader.u64()
        finishedAt = try reader.u64()
        counts = try StateCounts(from: &reader)
        let contentType = ContentType(rawValue: try reader.u8())
        metadata = Payload(contentType, try reader.array32())
    }
}

/// Asks for a page of the jobs of a flow.
///
///     u64 flow | u64 cursor | u32 rows
package struct GetFlowNodes: WireMessage {
    package static let opcode = Opcode.getFlowNodes
    package static let isReply = false
    package var flow: FlowID
    package var cursor: UInt64
    package var rows: UInt32

    package init(flow: FlowID, cursor: UInt64 = 0, rows: UInt32 = 0) {
        self.flow = flow
        self.cursor = cursor
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.flowID(flow)
        writer.u64(cursor)
        writer.u32(rows)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        flow = try reader.flowID()
        cursor = try reader.u64()
        rows = try reader.u32()
    }
}

/// The answer to ``GetFlowNodes``, ordered by id.
///
///     u64 commit | u64 next | u32 rows | rows x (u64 job | str8 queue | str8 name | u8 state | u8 cause
///         | u16 attemptsMade | u64 startedAt | u64 finishedAt | DependencyCounts)
package struct FlowNodePage: WireMessage {
    package static let opcode = Opcode.getFlowNodes
    package static let isReply = true

    package struct Row: Equatable, Sendable {
        package var job: JobID
        package var queue: String
        package var name: String
        package var state: JobState
        package var cause: FailureCause
        package var attemptsMade: UInt16
        package var startedAt: UInt64
        package var finishedAt: UInt64
        package var dependencies: DependencyCounts

        package init(
            job: JobID,
            queue: String,
            name: String,
            state: JobState,
            cause: FailureCause,
            attemptsMade: UInt16,
            startedAt: UInt64,
            finishedAt: UInt64,
            dependencies: DependencyCounts
        ) {
            self.job = job
            self.queue = queue
            self.name = name
            self.state = state
            self.cause = cause
            self.attemptsMade = attemptsMade
            self.startedAt = startedAt
            self.finishedAt = finishedAt
            self.dependencies = dependencies
        }
    }

    package var commit: UInt64
    package var next: UInt64
    package var rows: [Row]

    package init(commit: UInt64, next: UInt64, rows: [Row]) {
        self.commit = commit
        self.next = next
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        writer.u64(next)
        writer.u32(UInt32(rows.count))
        for row in rows {
            writer.jobID(row.job)
            writer.string8(row.queue)
            writer.string8(row.name)
            writer.u8(row.state.rawValue)
            writer.u8(row.cause.rawValue)
            writer.u16(row.attemptsMade)
            writer.u64(row.startedAt)
            writer.u64(row.finishedAt)
            row.dependencies.encode(into: &writer)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        next = try reader.u64()
        rows = []
        for _ in 0..<(try reader.count32(bytesEach: 46)) {
            let job = try reader.jobID()
            let queue = try reader.string8("queue name")
            let name = try reader.string8("job name")
            let state = try reader.value(JobState.self, "job state")
            let cause = try reader.value(FailureCause.self, "failure cause")
            let attemptsMade = try reader.u16()
            let startedAt = try reader.u64()
            let finishedAt = try reader.u64()
            rows.append(
                Row(
                    job: job,
                    queue: queue,
                    name: name,
                    state: state,
                    cause: cause,
                    attemptsMade: attemptsMade,
                    startedAt: startedAt,
                    finishedAt: finishedAt,
                    dependencies: try DependencyCounts(from: &reader)
                )
            )
        }
    }
}

/// Asks for a page of the edges of a flow: the dependencies of its jobs, inside it or not.
///
///     u64 flow | u64 cursor | u64 cursor2 | u32 rows
package struct GetFlowEdges: WireMessage {
    package static let opcode = Opcode.getFlowEdges
    package static let isReply = false
    package var flow: FlowID
    /// (0, 0) for the first page, then what the last one said: a job, and a position among its edges.
    package var cursor: FlowEdgeCursor
    package var rows: UInt32

    package init(flow: FlowID, cursor: FlowEdgeCursor = .start, rows: UInt32 = 0) {
        self.flow = flow
        self.cursor = cursor
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.flowID(flow)
        cursor.encode(into: &writer)
        writer.u32(rows)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        flow = try reader.flowID()
        cursor = try FlowEdgeCursor(from: &reader)
        rows = try reader.u32()
    }
}

/// A place among the edges of a flow.
///
///     u64 job | u64 position
package struct FlowEdgeCursor: Equatable, Sendable {
    package var job: JobID
    package var position: UInt64

    /// Before the first edge; as an answer: there are no more.
    package static let start = FlowEdgeCursor(job: .none, position: 0)

    package init(job: JobID, position: UInt64) {
        self.job = job
        self.position = position
    }

    package func encode(into writer: inout WireWriter) {
        writer.jobID(job)
        writer.u64(position)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        job = try reader.jobID()
        position = try reader.u64()
    }
}

/// The answer to ``GetFlowEdges``, ordered by dependent and position.
///
///     u64 commit | FlowEdgeCursor next | u32 rows | rows x (u64 dependent | u32 position | u64 dependency
///         | u8 kind | u8 policy | u8 condition)
package struct FlowEdgePage: WireMessage {
    package static let opcode = Opcode.getFlowEdges
    package static let isReply = true

    package struct Row: Equatable, Sendable {
        package var dependent: JobID
        package var position: UInt32
        package var dependency: JobID
        package var kind: DependencyKind
        package var policy: FailurePolicy
        package var condition: EdgeCondition

        package init(
            dependent: JobID,
            position: UInt32,
            dependency: JobID,
            kind: DependencyKind,
            policy: FailurePolicy,
            condition: EdgeCondition = .success
        ) {
            self.dependent = dependent
            self.position = position
            self.dependency = dependency
            self.kind = kind
            self.policy = policy
            self.condition = condition
        }
    }

    package var commit: UInt64
    package var next: FlowEdgeCursor
    package var rows: [Row]

    package init(commit: UInt64, next: FlowEdgeCursor, rows: [Row]) {
        self.commit = commit
        self.next = next
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        next.encode(into: &writer)
        writer.u32(UInt32(rows.count))
        for row in rows {
            writer.jobID(row.dependent)
            writer.u32(row.position)
            writer.jobID(row.dependency)
            writer.u8(row.kind.rawValue)
            writer.u8(row.policy.rawValue)
            writer.u8(row.condition.rawValue)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        next = try FlowEdgeCursor(from: &reader)
        rows = []
        for _ in 0..<(try reader.count32(bytesEach: 23)) {
            let dependent = try reader.jobID()
            let position = try reader.u32()
            let dependency = try reader.jobID()
            let kind = try reader.value(DependencyKind.self, "kind of dependency")
            let policy = try reader.value(FailurePolicy.self, "failure policy")
            rows.append(
                Row(
                    dependent: dependent,
                    position: position,
                    dependency: dependency,
                    kind: kind,
                    policy: policy,
                    condition: try reader.value(EdgeCondition.self, "condition of an edge")
                )
            )
        }
    }
}

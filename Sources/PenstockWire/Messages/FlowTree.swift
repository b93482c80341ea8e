/// Asks for a job, its dependencies, theirs, and so on downwards.
///
///     u64 job | u16 depth | u16 width
package struct GetTree: WireMessage {
    package static let opcode = Opcode.getTree
    package static let isReply = false
    package var job: JobID
    /// Edges between the root and the deepest row; 0, or more than the limit, for that.
    package var depth: UInt16
    /// Children listed of one job; 0, or more than the limit, for that.
    package var width: UInt16

    package init(job: JobID, depth: UInt16 = 0, width: UInt16 = 0) {
        self.job = job
        self.depth = depth
        self.width = width
    }

    package func encode(into writer: inout WireWriter) {
        writer.jobID(job)
        writer.u16(depth)
        writer.u16(width)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        job = try reader.jobID()
        depth = try reader.u16()
        width = try reader.u16()
    }
}

/// The answer to ``GetTree``: each job before its dependencies, those of one job in the order of their positions.
///
///     u64 commit | u8 isWhole | u32 rows | rows x ( u64 job | u32 parent row (0xFFFFFFFF: none) | u32 position
///         | u8 kind | u8 policy | u8 condition | str8 queue | str8 name | u8 state | u8 cause
///         | u32 dependencies | u8 flags (1 listed above, 2 cut) )
package struct FlowTree: WireMessage {
    package static let opcode = Opcode.getTree
    package static let isReply = true

    package struct Row: Equatable, Sendable {
        package static let byteCountMin = 28
        package static let listedAboveFlag: UInt8 = 1
        package static let cutFlag: UInt8 = 2

        package var job: JobID
        /// The row of the job that it is listed under; nil for the root, whose edge has no meaning.
        package var parent: UInt32?
        package var edge: Edge
        package var queue: String
        package var name: String
        package var state: JobState
        package var cause: FailureCause
        /// All of its dependencies.
        package var dependencies: UInt32
        /// True: a row above is the same job, and has its children.
        package var isListedAbove: Bool
        /// True: not all of its children are listed.
        package var isCut: Bool

        package init(
            job: JobID,
            parent: UInt32?,
            edge: Edge = Edge(),
            queue: String,
            name: String,
            state: JobState,
            cause: FailureCause,
            dependencies: UInt32,
            isListedAbove: Bool = false,
            isCut: Bool = false
        ) {
            self.job = job
            self.parent = parent
            self.edge = edge
            self.queue = queue
            self.name = name
            self.state = state
            self.cause = cause
            self.dependencies = dependencies
            self.isListedAbove = isListedAbove
            self.isCut = isCut
        }
    }

    /// The edge from a row's job to its parent.
    package struct Edge: Equatable, Sendable {
        package var position: UInt32
        package var kind: DependencyKind
        package var policy: FailurePolicy
        package var condition: EdgeCondition

        package init(
            position: UInt32 = 0,
            kind: DependencyKind = .unprocessed,
            policy: FailurePolicy = .failParent,
            condition: EdgeCondition = .success
        ) {
            self.position = position
            self.kind = kind
            self.policy = policy
            self.condition = condition
        }
    }

    package var commit: UInt64
    /// False where anything below the root was left out.
    package var isWhole: Bool
    package var rows: [Row]

    package init(commit: UInt64, isWhole: Bool, rows: [Row]) {
        self.commit = commit
        self.isWhole = isWhole
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        writer.u8(isWhole ? 1 : 0)
        writer.u32(UInt32(rows.count))
        for row in rows { row.encode(into: &writer) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        isWhole = try reader.u8() != 0
        rows = []
        for index in 0..<(try reader.count32(bytesEach: Row.byteCountMin)) {
            let row = try Row(from: &reader)
            // Who builds the tree looks the parent up: it must stand before the row, and only the first has none.
            guard row.parent.map({ Int($0) < index }) ?? (index == 0) else {
                throw WireError(.malformed, "Row \(index) of a tree is not below a row before it.")
            }
            rows.append(row)
        }
    }
}

extension FlowTree.Row {
    package func encode(into writer: inout WireWriter) {
        writer.jobID(job)
        writer.u32(parent ?? .max)
        writer.u32(edge.position)
        writer.u8(edge.kind.rawValue)
        writer.u8(edge.policy.rawValue)
        writer.u8(edge.condition.rawValue)
        writer.string8(queue)
        writer.string8(name)
        writer.u8(state.rawValue)
        writer.u8(cause.rawValue)
        writer.u32(dependencies)
        writer.u8((isListedAbove ? Self.listedAboveFlag : 0) | (isCut ? Self.cutFlag : 0))
    }

    package init(from reader: inout WireReader) throws(WireError) {
        job = try reader.jobID()
        let parent = try reader.u32()
        self.parent = parent == .max ? nil : parent
        let position = try reader.u32()
        let kind = try reader.value(DependencyKind.self, "kind of dependency")
        let policy = try reader.value(FailurePolicy.self, "failure policy")
        let condition = try reader.value(EdgeCondition.self, "condition of an edge")
        edge = FlowTree.Edge(position: position, kind: kind, policy: policy, condition: condition)
        queue = try reader.string8("queue name")
        name = try reader.string8("job name")
        state = try reader.value(JobState.self, "job state")
        cause = try reader.value(FailureCause.self, "failure cause")
        dependencies = try reader.u32()
        let flags = try reader.u8()
        isListedAbove = flags & Self.listedAboveFlag != 0
        isCut = flags & Self.cutFlag != 0
    }
}

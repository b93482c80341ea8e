/// How many dependencies of a job are in each kind.
///
///     u32 unprocessed | u32 processed | u32 ignored | u32 failed
package struct DependencyCounts: Equatable, Sendable {
    package var unprocessed: UInt32
    package var processed: UInt32
    package var ignored: UInt32
    package var failed: UInt32

    package init(unprocessed: UInt32 = 0, processed: UInt32 = 0, ignored: UInt32 = 0, failed: UInt32 = 0) {
        self.unprocessed = unprocessed
        self.processed = processed
        self.ignored = ignored
        self.failed = failed
    }

    /// All four; `UInt32.max` where the sum is beyond it, as only a corrupt reply can make it.
    package var total: UInt32 {
        UInt32(clamping: UInt64(unprocessed) + UInt64(processed) + UInt64(ignored) + UInt64(failed))
    }

    package func encode(into writer: inout WireWriter) {
        writer.u32(unprocessed)
        writer.u32(processed)
        writer.u32(ignored)
        writer.u32(failed)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        unprocessed = try reader.u32()
        processed = try reader.u32()
        ignored = try reader.u32()
        failed = try reader.u32()
    }
}

/// Asks for pages of a job's dependencies, by kind.
///
///     u64 job | u8 count | count x (u8 kind | u64 cursor | u32 rows)
package struct GetDependencies: WireMessage {
    package static let opcode = Opcode.getDependencies
    package static let isReply = false

    package struct Page: Equatable, Sendable {
        package var kind: DependencyKind
        /// 0 for the first page, then what the last one said.
        package var cursor: UInt64
        /// At most 1,000; 0 for the most.
        package var rows: UInt32

        package init(kind: DependencyKind, cursor: UInt64 = 0, rows: UInt32 = 0) {
            self.kind = kind
            self.cursor = cursor
            self.rows = rows
        }
    }

    package var job: JobID
    package var pages: [Page]

    package init(job: JobID, pages: [Page]) {
        self.job = job
        self.pages = pages
    }

    package func encode(into writer: inout WireWriter) {
        writer.jobID(job)
        writer.u8(UInt8(pages.count))
        for page in pages {
            writer.u8(page.kind.rawValue)
            writer.u64(page.cursor)
            writer.u32(page.rows)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        job = try reader.jobID()
        pages = []
        for _ in 0..<Int(try reader.u8()) {
            let kind = try reader.value(DependencyKind.self, "kind of dependency; 0 to 3 are")
            let cursor = try reader.u64()
            pages.append(Page(kind: kind, cursor: cursor, rows: try reader.u32()))
        }
        guard !pages.isEmpty, pages.count <= DependencyKind.allCases.count else {
            throw WireError(.invalidRequest, "\(pages.count) pages of dependencies asked for; 1 to 4 are allowed.")
        }
        guard Set(pages.map(\.kind)).count == pages.count else {
            throw WireError(.invalidRequest, "A kind of dependencies is asked for twice; each may stand once.")
        }
    }
}

/// The answer to ``GetDependencies``: a page for each kind asked for, in that order.
///
///     u64 commit | u8 count | count x ( u8 kind | u64 next | u32 rows
///         | rows x (u32 position | u64 job | u8 policy | u8 condition | str8 queue | str8 name | JobOutcome) )
package struct DependencyPages: WireMessage {
    package static let opcode = Opcode.getDependencies
    package static let isReply = true

    package struct Row: Equatable, Sendable {
        /// The edge's position among the dependent's edges: a row's place in the order.
        package var position: UInt32
        package var job: JobID
        package var policy: FailurePolicy
        package var condition: EdgeCondition
        package var queue: String
        package var name: String
        /// The result of a processed one, the failure of an ignored or failed one.
        package var outcome: JobOutcome

        package init(
            position: UInt32,
            job: JobID,
            policy: FailurePolicy = .failParent,
            condition: EdgeCondition = .success,
            queue: String,
            name: String,
            outcome: JobOutcome
        ) {
            self.position = position
            self.job = job
            self.policy = policy
            self.condition = condition
            self.queue = queue
            self.name = name
            self.outcome = outcome
        }
    }

    package struct Page: Equatable, Sendable {
        package var kind: DependencyKind
        /// The cursor of the next page; 0 where this was the last.
        package var next: UInt64
        package var rows: [Row]

        package init(kind: DependencyKind, next: UInt64, rows: [Row]) {
            self.kind = kind
            self.next = next
            self.rows = rows
        }
    }

    package var commit: UInt64
    package var pages: [Page]

    package init(commit: UInt64, pages: [Page]) {
        self.commit = commit
        self.pages = pages
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        writer.u8(UInt8(pages.count))
        for page in pages {
            writer.u8(page.kind.rawValue)
            writer.u64(page.next)
            writer.u32(UInt32(page.rows.count))
            for row in page.rows {
                writer.u32(row.position)
                writer.jobID(row.job)
                writer.u8(row.policy.rawValue)
                writer.u8(row.condition.rawValue)
                writer.string8(row.queue)
                writer.string8(row.name)
                row.outcome.encode(into: &writer)
            }
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        pages = []
        for _ in 0..<Int(try reader.u8()) {
            let kind = try reader.value(DependencyKind.self, "kind of dependency")
            let next = try reader.u64()
            var rows: [Row] = []
            for _ in 0..<(try reader.count32(bytesEach: 17)) {
                let position = try reader.u32()
                let job = try reader.jobID()
                let policy = try reader.value(FailurePolicy.self, "failure policy")
                let condition = try reader.value(EdgeCondition.self, "condition of an edge")
                let queue = try reader.string8("queue name")
                let name = try reader.string8("job name")
                rows.append(
                    Row(
                        position: position,
                        job: job,
                        policy: policy,
                        condition: condition,
                        queue: queue,
                        name: name,
                        outcome: try JobOutcome(from: &reader)
                    )
                )
            }
            pages.append(Page(kind: kind, next: next, rows: rows))
        }
    }
}

/// Asks how many dependencies of a job are in each kind; answered by ``DependencyTotals``.
///
///     u64 job
package struct CountDependencies: WireMessage {
    package static let opcode = Opcode.countDependencies
    package static let isReply = false
    package var job: JobID

    package init(job: JobID) { self.job = job }
    package func encode(into writer: inout WireWriter) { writer.jobID(job) }
    package init(from reader: inout WireReader) throws(WireError) { job = try reader.jobID() }
}

/// The answer to ``CountDependencies``.
///
///     u64 commit | DependencyCounts
package struct DependencyTotals: WireMessage {
    package static let opcode = Opcode.countDependencies
    package static let isReply = true
    package var commit: UInt64
    package var counts: DependencyCounts

    package init(commit: UInt64, counts: DependencyCounts) {
        self.commit = commit
        self.counts = counts
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        counts.encode(into: &writer)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        counts = try DependencyCounts(from: &reader)
    }
}

/// Asks for the jobs that depend on a job: its parents.
///
///     u64 job | u64 cursor | u32 rows
package struct GetDependents: WireMessage {
    package static let opcode = Opcode.getDependents
    package static let isReply = false
    package var job: JobID
    package var cursor: UInt64
    package var rows: UInt32

    package init(job: JobID, cursor: UInt64 = 0, rows: UInt32 = 0) {
        self.job = job
        self.cursor = cursor
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.jobID(job)
        writer.u64(cursor)
        writer.u32(rows)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        job = try reader.jobID()
        cursor = try reader.u64()
        rows = try reader.u32()
    }
}

/// The answer to ``GetDependents``, ordered by id.
///
///     u64 commit | u64 next | u32 rows | rows x (u64 job | str8 queue | str8 name)
package struct DependentPage: WireMessage {
    package static let opcode = Opcode.getDependents
    package static let isReply = true

    package struct Row: Equatable, Sendable {
        package var job: JobID
        package var queue: String
        package var name: String

        package init(job: JobID, queue: String, name: String) {
            self.job = job
            self.queue = queue
            self.name = name
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
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        next = try reader.u64()
        rows = []
        for _ in 0..<(try reader.count32(bytesEach: 10)) {
            let job = try reader.jobID()
            let queue = try reader.string8("queue name")
            rows.append(Row(job: job, queue: queue, name: try reader.string8("job name")))
        }
    }
}

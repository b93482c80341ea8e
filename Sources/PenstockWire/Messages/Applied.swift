/// What became of a durable command, or of a run of neighbours that all went well and have nothing to tell.
///
///     u64 sequence | u32 count | u32 index | u16 status | bytes32 body
///
/// `count` commands from `sequence` on have this outcome; they stand in the
/// batch at `index` and the places after it. A body that is not empty has a
/// count of 1: an error's (``ErrorBody``), or that of a command with something to
/// tell (``AddOutcome``, ``MoveOutcome``, ``CountOutcome``, ``SchedulerOutcome``).
package struct Outcome: Equatable, Sendable {
    /// Bytes that an outcome takes with an empty body.
    package static let byteCountMin = 22
    package var sequence: UInt64
    package var count: UInt32
    package var index: UInt32
    package var status: UInt16
    package var body: [UInt8]

    package init(sequence: UInt64, count: UInt32, index: UInt32, status: UInt16, body: [UInt8]) {
        self.sequence = sequence
        self.count = count
        self.index = index
        self.status = status
        self.body = body
    }
}

/// The outcomes of one session's commands in one commit; also sent on resume for those not yet confirmed.
///
///     u64 commit | u32 count | count x Outcome
package struct Applied: WireMessage {
    package static let opcode = Opcode.applied
    package static let isReply = false
    package var commit: UInt64
    package var outcomes: [Outcome]

    package init(commit: UInt64, outcomes: [Outcome]) {
        self.commit = commit
        self.outcomes = outcomes
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        writer.u32(UInt32(outcomes.count))
        for outcome in outcomes {
            writer.u64(outcome.sequence)
            writer.u32(outcome.count)
            writer.u32(outcome.index)
            writer.u16(outcome.status)
            writer.bytes32(outcome.body)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        let count = try reader.count32(bytesEach: Outcome.byteCountMin)
        outcomes = []
        outcomes.reserveCapacity(count)
        for _ in 0..<count {
            let sequence = try reader.u64()
            let run = try reader.u32()
            let index = try reader.u32()
            let status = try reader.u16()
            let body = try reader.array32()
            // Who reads this counts through the run: it must not be empty, nor run over the end of the numbers.
            guard run > 0, sequence <= .max - UInt64(run), index <= .max - run, run == 1 || body.isEmpty else {
                throw WireError(.malformed, "An outcome of \(run) commands from number \(sequence) on can't be.")
            }
            outcomes.append(Outcome(sequence: sequence, count: run, index: index, status: status, body: body))
        }
    }
}

/// The ids that an add was given, in the order of the request.
///
///     u16 count | count x (u64 flow | u64 first | u32 nodes | u32 existing | existing x (u32 node | u8 reason | u64 job))
///
/// New nodes of an item have the ids `first`, `first + 1` ... in order; the
/// nodes listed as existing stand for another job, and use up none of them.
/// They are listed in the order of their index.
package struct AddOutcome: Equatable, Sendable {
    /// Why a node stands for another job.
    package enum Reason: UInt8, Sendable, CaseIterable {
        /// Its custom id, or its key under the held job, is taken.
        case existing = 0
        /// The job holds its deduplication id.
        case deduplicated = 1
        /// The same, and the job is active: the node is kept, and becomes a job when that one has ended.
        case kept = 2
        /// A later node of the same add has taken its place, and is that job, or stands for it.
        case replaced = 3
    }

    package struct Existing: Equatable, Sendable {
        package static let byteCount = 13

        /// The node's index in its item.
        package var node: UInt32
        package var reason: Reason
        package var job: JobID
        package init(node: UInt32, reason: Reason = .existing, job: JobID) {
            self.node = node
            self.reason = reason
            self.job = job
        }
    }

    package struct Item: Equatable, Sendable {
        /// ``FlowID/none`` for a job that was added alone.
        package var flow: FlowID
        package var first: JobID
        package var nodes: UInt32
        package var existing: [Existing]

        package init(flow: FlowID, first: JobID, nodes: UInt32, existing: [Existing] = []) {
            self.flow = flow
            self.first = first
            self.nodes = nodes
            self.existing = existing
        }

        /// The id of every node, in order.
        package var jobIDs: [JobID] {
            var ids: [JobID] = []
            ids.reserveCapacity(Int(nodes))
            var next = first.rawValue
            var rest = existing[...]
            for node in 0..<nodes {
                if let taken = rest.first, taken.node == node {
                    ids.append(taken.job)
                    rest.removeFirst()
                } else {
                    ids.append(JobID(next))
                    next &+= 1
                }
            }
            return ids
        }
    }

    package var items: [Item]

    package init(items: [Item]) { self.items = items }

    package func encode(into writer: inout WireWriter) {
        writer.u16(UInt16(items.count))
        for item in items {
            writer.flowID(item.flow)
            writer.jobID(item.first)
            writer.u32(item.nodes)
            writer.u32(UInt32(item.existing.count))
            for existing in item.existing {
                writer.u32(existing.node)
                writer.u8(existing.reason.rawValue)
                writer.jobID(existing.job)
            }
        }
    }

    /// - Parameter jobsMax: nodes that the add had at most; a large add's outcome can have more than one of a frame.
    package init(
        from reader: inout WireReader,
        jobsMax: Int = Limits.jobsPerAddMax
    ) throws(WireError) {
        let count = try reader.count16(bytesEach: 24)
        items = []
        items.reserveCapacity(count)
        var nodesLeft = UInt32(jobsMax)
        for _ in 0..<count {
            let flow = try reader.flowID()
            let first = try reader.jobID()
            let nodes = try reader.u32()
            // Few bytes claim many nodes: bounded over all items, so that no reply makes a client allocate more.
            guard nodes <= nodesLeft else {
                throw WireError(.malformed, "The outcome of an add has more than \(jobsMax) nodes.")
            }
            nodesLeft -= nodes
            var existing: [Existing] = []
            var nodeMin: UInt32 = 0
            for _ in 0..<(try reader.count32(bytesEach: Existing.byteCount)) {
                let node = try reader.u32()
                guard node >= nodeMin, node < nodes else {
                    throw WireError(.malformed, "Existing node \(node) of \(nodes) is out of its order or its item.")
                }
                nodeMin = node + 1
                let reason = try reader.value(Reason.self, "reason to stand for another job; 0 to 3 are")
                existing.append(Existing(node: node, reason: reason, job: try reader.jobID()))
            }
            items.append(Item(flow: flow, first: first, nodes: nodes, existing: existing))
        }
    }
}

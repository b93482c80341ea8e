import LMDB
import PenstockEngine
import PenstockWire
import UV

/// A DELIVER frame that is being filled, for one connection and stream.
struct DeliveryFrame {
    var writer = WireWriter(capacity: 64 << 10)
    var connection: UInt32 = 0
    var stream: UInt32 = 0
    var count = 0
    var start = 0
}

extension Server {
    /// Grants for each turn of the loop; then others get theirs.
    static let grantsPerTurn = 1024

    /// Grants what can be granted and appends the deliveries to the connections' outputs.
    ///
    /// - Returns: true where more could be granted.
    func deliver(now: UInt64) -> Bool {
        guard !isStopping, dispatcher.hasWork else { return false }
        let reader = reader
        do throws(LMDBError) {
            var source = DeliverySource(server: self, snapshot: try reader.begin(), reads: reads)
            let hasMore = dispatcher.run(
                now: now,
                wall: clock.wall,
                grantsMax: Server.grantsPerTurn,
                source: &source
            )
            source.endFrame()
            source.tellActive()
            if let error = source.error { throw error }
            for slot in dispatcher.takeWriteRequests() { writeLease(slot) }
            return hasMore
        } catch {
            fail(error)
            return false
        }
    }
}

extension Server {
    /// Tells those who listen that the job is active, as it stands in the snapshot.
    func tellActive(
        _ entry: ReadyEntry,
        _ flow: FlowID,
        _ subscription: SubscriptionID,
        _ snapshot: borrowing ReadTransaction
    ) throws(LMDBError) {
        guard events.hears(entry.queue, flow) else { return }
        let worker = dispatcher.subscription(subscription)?.worker ?? ""
        var writer = WireWriter()
        try reads.appendActive(entry, worker: worker, wall: clock.wall, into: &writer, snapshot)
        events.append(active: writer.span, entry.queue, flow, commit: snapshot.id, settled: statistics.lastCommit)
    }
}

/// Where the dispatcher reads and delivers: one snapshot, for one run.
struct DeliverySource: DispatchSource, ~Copyable, ~Escapable {
    private let server: Server
    private let snapshot: ReadTransaction
    private let reads: Reads
    /// What the clock showed when the run began.
    private let elapsed: UInt64
    private(set) var error: LMDBError?
    /// What was delivered, where somebody listens to anything.
    private var delivered: [(grant: Grant, flow: FlowID)] = []

    @_lifetime(copy snapshot)
    init(server: Server, snapshot: consuming ReadTransaction, reads: Reads) {
        self.server = server
        self.snapshot = snapshot
        self.reads = reads
        elapsed = server.clock.elapsed
        error = nil
    }

    mutating func read(
        queue: QueueID,
        group: GroupID,
        from turn: Turn,
        limit: Int,
        into entries: inout [ReadyEntry]
    ) -> Bool {
        do throws(LMDBError) {
            return try reads.ready(queue, group, from: turn, limit: limit, into: &entries, snapshot)
        } catch {
            self.error = error
            return true
        }
    }

    mutating func readGroups(
        queue: QueueID,
        _ range: ClosedRange<GroupID>,
        groups: Int,
        jobs: Int,
        into entries: inout [ReadyEntry]
    ) -> GroupID? {
        do throws(LMDBError) {
            return try reads.readyGroups(queue, range, groups: groups, jobs: jobs, into: &entries, snapshot)
        } catch {
            self.error = error
            return nil
        }
    }

    mutating func hasGroups(_ queue: QueueID) -> Bool {
        do throws(LMDBError) {
            return try reads.hasReadyGroups(queue, snapshot)
        } catch {
            self.error = error
            return false
        }
    }

    mutating func deliver(_ grant: Grant) -> DeliveryOutcome {
        guard let connection = server.connections[Int(grant.connection)] else { return .gone }
        if server.delivery.count == 0 || server.delivery.connection != grant.connection
            || server.delivery.stream != grant.stream || server.delivery.count == Int(UInt16.max)
            || server.delivery.writer.count > 256 << 10
        {
            endFrame()
            if connection.stream.unsentBytes > Server.unsentBytesForDeliveryMax {
                connection.isBlocked = true
                return .noRoom
            }
            beginFrame(grant)
        }
        do throws(LMDBError) {
            let sent = try reads.appendDelivery(
                of: grant.entry,
                slot: grant.slot,
                token: grant.token,
                queueIndex: UInt16(grant.queueIndex),
                elapsed: elapsed,
                into: &server.delivery.writer,
                snapshot
            )
            guard let sent else { return .gone }
            server.delivery.count += 1
            if server.events.isOn { delivered.append((grant, sent.flow)) }
            return .sent(bytes: sent.bytes, flow: sent.flow, timeout: sent.timeout)
        } catch {
            self.error = error
            return .gone
        }
    }

    /// Tells those who listen which jobs are active now; of reserved ones it is told when they start.
    mutating func tellActive() {
        for (grant, flow) in delivered where server.dispatcher.subscription(grant.subscription)?.prefetches != true {
            do throws(LMDBError) {
                try server.tellActive(grant.entry, flow, grant.subscription, snapshot)
            } catch {
                self.error = error
                return
            }
        }
    }

    private func beginFrame(_ grant: Grant) {
        server.delivery.connection = grant.connection
        server.delivery.stream = grant.stream
        server.delivery.start = server.delivery.writer.beginFrame(FrameHeader(.deliver, stream: grant.stream))
        server.delivery.writer.u16(0)
    }

    /// Sends the frame that is being filled, if it holds anything.
    func endFrame() {
        defer { server.delivery.writer.removeAll() }
        guard server.delivery.count > 0 else { return }
        defer { server.delivery.count = 0 }
        guard let connection = server.connections[Int(server.delivery.connection)] else { return }
        let start = server.delivery.start
        server.delivery.writer.patch(UInt16(server.delivery.count), at: start + FrameHeader.byteCount)
        server.delivery.writer.endFrame(start)
        server.delivery.sendTo(connection)
        server.touch(connection)
    }
}

extension DeliveryFrame {
    /// Appends the frame to the connection's output.
    func sendTo(_ connection: Connection) {
        guard !connection.stream.isClosed else { return }
        connection.stream.output.append(writer.span)
    }
}

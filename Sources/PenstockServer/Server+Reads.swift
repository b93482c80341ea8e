import LMDB
import PenstockEngine
import PenstockWire
import UV

/// Requests that only look.
extension Server {
    func read(
        _ opcode: Opcode,
        _ header: FrameHeader,
        _ body: RawSpan,
        _ connection: Connection
    ) throws(WireError) {
        if try holdsBack(opcode, read: header, body, connection) { return }
        let leases = ServerLeases(server: self)
        switch opcode {
        case .getJob:
            let request = try GetJob(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.job(request.job, snapshot, leases, elapsed: clock.elapsed)
            }
        case .getDependencies:
            let request = try GetDependencies(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.dependencies(request, snapshot)
            }
        case .countDependencies:
            let request = try CountDependencies(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.dependencyTotals(of: request.job, snapshot)
            }
        case .getDependents:
            let request = try GetDependents(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.dependents(request, snapshot)
            }
        case .getFlow:
            let request = try GetFlow(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.flow(request.flow, snapshot, leases)
            }
        case .getFlowNodes:
            let request = try GetFlowNodes(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.flowNodes(request, snapshot, leases)
            }
        case .getFlowEdges:
            let request = try GetFlowEdges(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.flowEdges(request, snapshot)
            }
        case .getTree:
            let request = try GetTree(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.tree(request, snapshot, leases)
            }
        case .listFlows:
            let request = try ListFlows(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.flows(request, snapshot, leases)
            }
        case .getQueue:
            let request = try GetQueue(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                var view = try reads.queue(request.queue, snapshot, leases, elapsed: clock.elapsed)
                if let queue = reads.queueIDs[request.queue] {
                    view.limitedFor = dispatcher.limitedFor(queue, now: clock.monotonic)
                }
                return view
            }
        case .getJobs:
            let request = try GetJobs(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.jobs(request, snapshot, leases, elapsed: clock.elapsed)
            }
        case .listQueues:
            let request = try ListQueues(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.queues(request, snapshot, leases)
            }
        case .getPriorities:
            let request = try GetPriorities(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.priorities(request, snapshot, leases)
            }
        case .getGroups:
            let request = try GetGroups(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.groups(request, snapshot, leases)
            }
        case .getSchedulers:
            let request = try GetSchedulers(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.schedulers(request, snapshot, elapsed: clock.elapsed, wall: clock.wall)
            }
        case .getNextRuns:
            let request = try GetNextRuns(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try nextRuns(request, reads, snapshot)
            }
        case .getLogs:
            let request = try GetLogs(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.logs(request, snapshot)
            }
        case .getAttempts:
            let request = try GetAttempts(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.attempts(request, snapshot, leases)
            }
        case .getDeduplication:
            let request = try GetDeduplication(body: body)
            try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                try reads.deduplication(request, snapshot, elapsed: clock.elapsed)
            }
        case .getWorkers:
            connection.send(try workers(GetWorkers(body: body)), correlation: header.correlation)
        case .getServer:
            _ = try GetServer(body: body)
            connection.send(view(), correlation: header.correlation)
        case .wait: try wait(header, Wait(body: body), connection)
        default: throw WireError(.unknownOpcode, "Opcode \(header.opcode) is not a request.")
        }
    }

    /// Answers from one snapshot, not older than anything acknowledged.
    private func answer<Reply: WireMessage>(
        _ header: FrameHeader,
        _ connection: Connection,
        _ body: (Reads, borrowing ReadTransaction) throws(Reads.Failure) -> Reply
    ) throws(WireError) {
        let reply: Reply
        do throws(Reads.Failure) {
            reply = try withSnapshot(body)
        } catch {
            switch error {
            case .refused(let error): throw error
            case .lmdb(let error):
                fail(error)
                throw WireError(.internalError, "The database can't be read.")
            }
        }
        connection.send { reply.encodeFrame(into: &$0, correlation: header.correlation, as: header.opcode) }
    }

    private func withSnapshot<Value>(
        _ body: (Reads, borrowing ReadTransaction) throws(Reads.Failure) -> Value
    ) throws(Reads.Failure) -> Value {
        let reader = reader
        let snapshot: ReadTransaction
        do throws(LMDBError) {
            snapshot = try reader.begin()
        } catch {
            throw .lmdb(error)
        }
        return try body(reads, snapshot)
    }

    // MARK: Waiting

    /// Requests of one connection that may wait at a time.
    static let waitsPerConnectionMax = 65_536

    private func wait(_ header: FrameHeader, _ request: Wait, _ connection: Connection) throws(WireError) {
        if try isFinished(request.target) {
            return answerFinished(request.target, header, connection)
        }
        try takeWait(connection)
        let longest = Limits.waitMillisecondsMax
        let timeout = request.timeout == 0 ? longest : min(request.timeout, longest)
        waits.add(
            Waits.Request(
                connection: connection.slot,
                header: header,
                deadline: clock.monotonic + UInt64(timeout)
            ),
            for: request.target
        )
    }

    /// Counts one more request of the connection that waits.
    func takeWait(_ connection: Connection) throws(WireError) {
        guard connection.waitCount < Server.waitsPerConnectionMax else {
            throw WireError(
                .invalidRequest,
                "A connection can have \(Server.waitsPerConnectionMax) waits; this is one more."
            )
        }
        connection.waitCount += 1
    }

    private func isFinished(_ target: Wait.Target) throws(WireError) -> Bool {
        let leases = ServerLeases(server: self)
        do throws(Reads.Failure) {
            return try withSnapshot { (reads, snapshot) throws(Reads.Failure) in
                switch target {
                case .job(let id):
                    guard let state = try reads.state(of: id, snapshot, leases) else {
                        throw Reads.Failure.refused(WireError(.jobNotFound, "There is no job \(id)."))
                    }
                    return state.isFinished
                case .flow(let id): return try reads.flow(id, snapshot, leases).status.isFinished
                }
            }
        } catch {
            switch error {
            case .refused(let error): throw error
            case .lmdb(let error):
                fail(error)
                throw WireError(.internalError, "The database can't be read.")
            }
        }
    }

    /// Answers a WAIT whose job or flow has finished.
    func answerFinished(_ target: Wait.Target, _ header: FrameHeader, _ connection: Connection) {
        let leases = ServerLeases(server: self)
        do throws(WireError) {
            switch target {
            case .job(let id):
                try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                    try reads.job(.id(id), snapshot, leases, elapsed: clock.elapsed)
                }
            case .flow(let id):
                try answer(header, connection) { (reads, snapshot) throws(Reads.Failure) in
                    try reads.flow(id, snapshot, leases)
                }
            }
        } catch {
            connection.refuse(header, error)
        }
    }

    func expireWaits(now: UInt64) {
        guard waits.nextDeadline <= now else { return }
        for request in waits.takeExpired(now: now) {
            guard let connection = connections[Int(request.connection)], connection.waitCount > 0 else { continue }
            connection.waitCount -= 1
            connection.refuse(
                request.header,
                WireError(.timedOut, "It has not finished within the time of the wait.")
            )
        }
    }

    private func view() -> ServerView {
        var view = ServerView()
        view.version = ServerConfiguration.version
        view.durability = configuration.isDurable ? "fsync" : "none"
        view.database = database
        view.epoch = epoch
        view.commit = statistics.lastCommit
        view.commits = statistics.commits
        view.commands = statistics.commands
        view.uptime = clock.monotonic - statistics.startedAt
        view.connections = UInt32(connectionCount)
        view.leases = UInt32(dispatcher.leases.heldCount)
        view.usedBytes = UInt64((try? environment.usage().usedBytes) ?? 0)
        view.processID = OSThread.processID
        return view
    }
}

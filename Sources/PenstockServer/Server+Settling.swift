import LMDB
import PenstockEngine
import PenstockWire
import UV

/// Requests about flows that a large effect is being carried out on: they wait, so that nobody is shown half of it.
///
/// A read waits alone. A durable command holds back what its connection sends
/// behind it, since commands are applied in the order of their numbers. Either
/// waits for a bounded time; then it is answered `settling`. What a worker asks
/// about a job that it holds does not wait, and neither do GET_FLOW and WAIT,
/// which tell that a flow is settling.
extension Server {
    /// What a request is about.
    private enum Subject {
        case job(JobReference)
        case flow(FlowID)
    }

    /// A read that waits.
    struct HeldRead {
        var connection: UInt32
        var opcode: Opcode
        var header: FrameHeader
        var body: [UInt8]
        /// Monotonic milliseconds.
        var deadline: UInt64
    }

    /// True where the command has to wait; the connection takes nothing more then.
    func holdsBack(_ opcode: Opcode, _ header: FrameHeader, _ body: RawSpan, _ connection: Connection) -> Bool {
        guard isSettling, isAboutSettling(opcode, body, connection) else {
            connection.heldUntil = nil
            return false
        }
        let now = clock.monotonic
        let until = connection.heldUntil ?? now + UInt64(Limits.settlingMillisecondsMax)
        guard now < until else {
            // The engine refuses it now.
            connection.heldUntil = nil
            return false
        }
        connection.heldUntil = until
        connection.holdBack(header, body)
        if !holdingBack.contains(where: { $0 === connection }) { holdingBack.append(connection) }
        nextHeld = min(nextHeld, until)
        return true
    }

    /// True where the read has to wait; it is kept, and answered later.
    func holdsBack(
        _ opcode: Opcode,
        read header: FrameHeader,
        _ body: RawSpan,
        _ connection: Connection
    ) throws(WireError) -> Bool {
        guard isSettling, isAboutSettling(opcode, body, connection) else { return false }
        try takeWait(connection)
        let deadline = clock.monotonic + UInt64(Limits.settlingMillisecondsMax)
        heldReads.append(
            HeldRead(
                connection: connection.slot,
                opcode: opcode,
                header: header,
                body: [UInt8](copying: body),
                deadline: deadline
            )
        )
        nextHeld = min(nextHeld, deadline)
        return true
    }

    /// Looks again at what waits.
    ///
    /// - Parameter hasSettled: flows have settled; else only the time of some requests is over.
    func goOnWithHeld(hasSettled: Bool) {
        nextHeld = .max
        let connections = holdingBack
        holdingBack.removeAll()
        for connection in connections where !connection.stream.isClosed { connection.goOnIfPaused() }
        // In the order of their deadlines.
        let now = clock.monotonic
        let count = hasSettled ? heldReads.count : heldReads.prefix { $0.deadline <= now }.count
        let reads = Array(heldReads.prefix(count))
        let later = Array(heldReads.dropFirst(count))
        heldReads.removeAll()
        for read in reads { goOn(with: read) }
        heldReads += later
        if let first = heldReads.first { nextHeld = min(nextHeld, first.deadline) }
    }

    /// The connection is gone: nobody wants its answers.
    func forgetHeld(of connection: Connection) {
        if !heldReads.isEmpty { heldReads.removeAll { $0.connection == connection.slot } }
        if !holdingBack.isEmpty { holdingBack.removeAll { $0 === connection } }
    }

    private func goOn(with read: HeldRead) {
        guard let connection = connections[Int(read.connection)], connection.waitCount > 0 else { return }
        let body = read.body
        if isSettling, isAboutSettling(read.opcode, body.rawSpan, connection) {
            if clock.monotonic < read.deadline {
                heldReads.append(read)
                nextHeld = min(nextHeld, read.deadline)
            } else {
                connection.waitCount -= 1
                connection.refuse(read.header, .settling)
            }
            return
        }
        connection.waitCount -= 1
        do throws(WireError) {
            try self.read(read.opcode, read.header, body.rawSpan, connection)
        } catch {
            connection.refuse(read.header, error)
        }
    }

    private func isAboutSettling(_ opcode: Opcode, _ body: RawSpan, _ connection: Connection) -> Bool {
        guard let subject = subject(of: opcode, body) else { return false }
        let reader = reader
        guard let snapshot = try? reader.begin() else { return false }
        switch subject {
        case .flow(let flow): return (try? reads.isSettling(flow, snapshot)) == true
        case .job(let reference):
            guard let job = try? reads.find(reference, snapshot) else { return false }
            if let slot = dispatcher.leases.slot(of: job),
                dispatcher.leases[slot].sessionSlot == connection.session?.slot
            {
                return false
            }
            return (try? reads.isSettling(job, snapshot)) == true
        }
    }

    /// What the request is about; nil where it does not wait, or can't be read.
    private func subject(of opcode: Opcode, _ body: RawSpan) -> Subject? {
        switch opcode {
        case .getJob: return (try? GetJob(body: body)).map { .job($0.job) }
        case .getDependencies: return (try? GetDependencies(body: body)).map { .job(.id($0.job)) }
        case .countDependencies: return (try? CountDependencies(body: body)).map { .job(.id($0.job)) }
        case .getDependents: return (try? GetDependents(body: body)).map { .job(.id($0.job)) }
        case .getLogs: return (try? GetLogs(body: body)).map { .job(.id($0.job)) }
        case .getAttempts: return (try? GetAttempts(body: body)).map { .job(.id($0.job)) }
        case .getTree: return (try? GetTree(body: body)).map { .job(.id($0.job)) }
        case .getFlowNodes: return (try? GetFlowNodes(body: body)).map { .flow($0.flow) }
        case .getFlowEdges: return (try? GetFlowEdges(body: body)).map { .flow($0.flow) }
        case .finish: return (try? Finish(body: body)).map { .job(.id($0.job)) }
        case .update: return (try? Update(body: body)).map { .job(.id($0.job)) }
        case .clearLogs: return (try? ClearLogs(body: body)).map { .job(.id($0.job)) }
        case .resolve: return (try? Resolve(body: body)).map { .job(.id($0.dependent)) }
        case .cancel:
            switch (try? Cancel(body: body))?.target {
            case .job(let job), .tree(let job): return .job(.id(job))
            case .flow(let flow): return .flow(flow)
            case nil: return nil
            }
        case .retry:
            switch (try? Retry(body: body))?.target {
            case .job(let job): return .job(.id(job))
            case .flow(let flow): return .flow(flow)
            case .queue, nil: return nil
            }
        case .promote:
            guard case .job(let job)? = (try? Promote(body: body))?.target else { return nil }
            return .job(.id(job))
        case .remove:
            switch (try? Remove(body: body))?.target {
            case .job(let job, _): return .job(.id(job))
            case .unprocessedDependencies(let job): return .job(.id(job))
            case .flow(let flow): return .flow(flow)
            case nil: return nil
            }
        default: return nil
        }
    }
}

extension WireError {
    static let settling = WireError(
        .settling,
        "A large effect is being carried out on the flow: try again when it has settled."
    )
}

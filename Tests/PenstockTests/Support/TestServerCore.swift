import DequeModule
import NIOCore
import PenstockWire

@testable import Penstock

/// What a ``TestServer`` knows. Dependencies hold a job back until all of them have completed; nothing else of flows.
final class TestServerCore {
    struct Stored {
        var view: JobView
        var missing = 0
        var dependents: [UInt64] = []
        var children: [UInt64] = []
    }

    struct Session {
        var applied: UInt64 = 0
        var outcomes: [Outcome] = []
        var leases: [UInt64: Lease] = [:]
    }

    struct Lease {
        var job: UInt64
        var stream: UInt32
        weak var connection: TestServerHandler?
    }

    struct Stream {
        var queues: [String]
        var credits: Int
    }

    var connections: [TestServerHandler] = []
    var sessions: [SessionID: Session] = [:]
    var jobs: [UInt64: Stored] = [:]
    var ready: [String: Deque<UInt64>] = [:]
    var waits: [(UInt64, TestServerHandler, UInt32)] = []
    /// Every durable frame received, by opcode and first number; and how many commands were applied.
    var received: [(Opcode, UInt64)] = []
    var completed = 0
    var released = 0
    var heldBack: [LeaseToken] = []
    /// The adds, and the bodies of the commands that the server only notes, in their order.
    var adds: [Add] = []
    var commands: [(Opcode, [UInt8])] = []
    /// What has come of a large add.
    var staged: [AddItem] = []
    /// What has been asked, and in which session.
    var asked: [(Opcode, SessionID?)] = []
    /// The timeouts of all waits.
    var timeouts: [UInt32] = []
    /// Refusals of the next commands with an opcode, each for one of them.
    var scripted: [Opcode: Deque<WireError>] = [:]
    /// The refusal of a part of a large add.
    var refusedStage: (Stage.Part, WireError)?
    /// Those who listen, by their streams, and every LISTEN in its order.
    var listeners: [UInt32: TestServerHandler] = [:]
    var listens: [Listen] = []
    var creditedBytes = 0
    /// What the outcome of a noted command says of the jobs that it has reached.
    var reached: UInt32 = 1
    private var nextJob: UInt64 = 1
    private var nextFlow: UInt64 = 1
    private var nextToken: UInt64 = 1
    private(set) var commit: UInt64 = 0
    private var dirty: Set<ObjectIdentifier> = []
    private var pending: [ObjectIdentifier: [Outcome]] = [:]

    // Faults, each for once.

    /// The connection breaks when a frame with this opcode arrives, before it is applied.
    var dropsBefore: Opcode?
    /// The connection breaks after a frame with this opcode has been applied, before it is answered.
    var dropsAfter: Opcode?
    /// Outcomes are kept back until this is false.
    var isHolding = false

    func receive(_ connection: TestServerHandler, _ header: FrameHeader, _ body: RawSpan) throws(WireError) {
        guard let opcode = Opcode(rawValue: header.opcode) else { return }
        if dropsBefore == opcode {
            dropsBefore = nil
            connection.drop()
            return
        }
        try handle(opcode, connection, header, body)
        if dropsAfter == opcode {
            dropsAfter = nil
            pending[ObjectIdentifier(connection)] = nil
            connection.drop()
        }
    }

    private func handle(
        _ opcode: Opcode,
        _ connection: TestServerHandler,
        _ header: FrameHeader,
        _ body: RawSpan
    ) throws(WireError) {
        let correlation = header.correlation
        if !opcode.isDurable { asked.append((opcode, connection.session)) }
        switch opcode {
        case .hello: hello(connection, header, try Hello(body: body))
        case .hold:
            let tokens = try Hold(body: body).tokens
            heldBack = tokens
            let leases = connection.session.flatMap { sessions[$0]?.leases } ?? [:]
            connection.send(
                Held(fenced: tokens.filter { leases[$0.rawValue] == nil }),
                correlation: correlation
            )
            for token in leases.keys where !tokens.contains(LeaseToken(token)) { giveBack(token, connection) }
        case .subscribe:
            if let error = scripted[.subscribe]?.popFirst() { return connection.refuse(header, error) }
            let message = try Subscribe(body: body)
            connection.streams[header.stream] = Stream(queues: message.queues, credits: Int(message.creditJobs))
            connection.send(Subscribed(heartbeat: 10_000), correlation: correlation, stream: header.stream)
        case .credit:
            let credit = try Credit(body: body)
            connection.streams[header.stream]?.credits += Int(credit.jobs)
            if listeners[header.stream] != nil { creditedBytes += Int(credit.bytes) }
        case .listen: listen(connection, header, try Listen(body: body))
        case .unlisten:
            listeners[header.stream] = nil
            connection.send(Unlistened(), correlation: correlation, stream: header.stream)
        case .unsubscribe:
            connection.streams[header.stream] = nil
            connection.send(Unsubscribed(), correlation: correlation)
        case .release:
            for token in try Release(body: body).tokens { giveBack(token.rawValue, connection) }
            connection.send(Released(fenced: []), correlation: correlation)
        case .goodbye:
            if let session = connection.session { sessions[session] = nil }
            connection.send(Farewell(), correlation: correlation)
        case .add: add(connection, try Add(body: body))
        case .complete:
            let message = try Complete(body: body)
            received.append((.complete, message.sequence))
            for (index, completion) in message.completions.enumerated() {
                let outcome = JobOutcome.result(completion.contentType, completion.result)
                end(connection, message.sequence + UInt64(index), completion.token, .completed, outcome)
            }
        case .fail:
            let message = try Fail(body: body)
            received.append((.fail, message.sequence))
            for (index, failure) in message.failures.enumerated() {
                let outcome = JobOutcome.failure(message: failure.message, details: failure.details)
                end(connection, message.sequence + UInt64(index), failure.token, .failed, outcome)
            }
        case .getJob: find(try GetJob(body: body).job, connection, header)
        case .getDependencies: dependencies(try GetDependencies(body: body), connection, header)
        case .wait:
            let message = try Wait(body: body)
            timeouts.append(message.timeout)
            if let error = scripted[.wait]?.popFirst() { return connection.refuse(header, error) }
            guard case .job(let id) = message.target, let job = jobs[id.rawValue] else {
                connection.refuse(header, WireError(.jobNotFound, "no such job"))
                return
            }
            if job.view.state.isFinished {
                answer(id.rawValue, connection, correlation)
            } else {
                waits.append((id.rawValue, connection, correlation))
            }
        case .heartbeat: connection.send(Heartbeat(number: commit))
        case .addHeld: addHeld(connection, try HeldAdd(body: body))
        case .move: move(connection, try Move(body: body))
        case let opcode where opcode.isDurable: command(opcode, connection, [UInt8](copying: body))
        default: connection.refuse(header, WireError(.unknownOpcode, "not known to the test's server"))
        }
    }

    /// Everything that was read has been looked at: one commit.
    func turnEnded() {
        deliver()
        commit += 1
        if !isHolding {
            for connection in connections {
                guard let outcomes = pending.removeValue(forKey: ObjectIdentifier(connection)) else { continue }
                connection.send(Applied(commit: commit, outcomes: TestServerCore.runs(outcomes)))
            }
        }
        for connection in connections { connection.flush() }
    }

    private static func runs(_ outcomes: [Outcome]) -> [Outcome] {
        var result: [Outcome] = []
        for outcome in outcomes {
            if outcome.status == 0, outcome.body.isEmpty, let last = result.last, last.status == 0, last.body.isEmpty,
                last.sequence + UInt64(last.count) == outcome.sequence
            {
                result[result.count - 1].count += 1
            } else {
                result.append(outcome)
            }
        }
        return result
    }

    // MARK: Sessions

    private func hello(_ connection: TestServerHandler, _ header: FrameHeader, _ hello: Hello) {
        if hello.mode == .resume, sessions[hello.session] == nil {
            connection.refuse(header, WireError(.sessionUnknown, "no such session"))
            return
        }
        connection.session = hello.session
        let session = sessions[hello.session, default: Session()]
        sessions[hello.session] = session
        let welcome = Welcome(
            resumed: hello.mode == .resume,
            database: SessionID(high: 1, low: 1),
            epoch: 1,
            lastApplied: session.applied,
            heartbeat: 10_000,
            server: "test"
        )
        connection.send(welcome, correlation: header.correlation)
        let lacking = session.outcomes.filter { $0.sequence > hello.confirmed }
        if !lacking.isEmpty { connection.send(Applied(commit: commit, outcomes: lacking)) }
    }

    func settle(_ connection: TestServerHandler, _ sequence: UInt64, _ error: WireError?, _ body: [UInt8] = []) {
        guard let id = connection.session else { return }
        var body = body
        if let error {
            var writer = WireWriter()
            ErrorBody(error).encode(into: &writer)
            body = writer.bytes
        }
        let status = error?.code.rawValue ?? 0
        let outcome = Outcome(sequence: sequence, count: 1, index: 0, status: status, body: body)
        sessions[id]?.applied = sequence
        if keepsOutcomes { sessions[id]?.outcomes.append(outcome) }
        pending[ObjectIdentifier(connection), default: []].append(outcome)
    }

    /// False for a benchmark, which confirms nothing in time.
    var keepsOutcomes = true

    // MARK: Jobs

    private func add(_ connection: TestServerHandler, _ message: Add) {
        received.append((.add, message.sequence))
        if let error = scripted[.add]?.popFirst() { return settle(connection, message.sequence, error) }
        adds.append(message)
        settle(connection, message.sequence, nil, add(message.queues, message.items))
    }

    /// Keeps the jobs of an add.
    /// - Returns: the outcome.
    func add(_ queues: [String], _ messageItems: [AddItem]) -> [UInt8] {
        var items: [AddOutcome.Item] = []
        let first = nextJob
        for item in messageItems {
            let flow = item.isFlow ? nextFlow : 0
            if item.isFlow { nextFlow += 1 }
            items.append(
                .init(flow: FlowID(rawValue: flow).wire, first: .init(nextJob), nodes: UInt32(item.nodes.count))
            )
            for node in item.nodes { add(node, queue: queues[Int(node.queue)], flow: flow, first: first) }
        }
        var writer = WireWriter()
        AddOutcome(items: items).encode(into: &writer)
        return writer.bytes
    }

    private func add(_ node: AddNode, queue: String, flow: UInt64, first: UInt64) {
        let id = nextJob
        nextJob += 1
        var stored = Stored(view: JobView())
        stored.view.id = .init(id)
        stored.view.queue = queue
        stored.view.name = node.name
        stored.view.customID = node.customID ?? ""
        stored.view.flow = .init(flow)
        stored.view.contentType = node.contentType
        stored.view.data = node.data
        stored.view.options = node.options
        stored.view.createdAt = 1_700_000_000_000
        for dependency in node.dependencies {
            let target: UInt64 =
                switch dependency.target {
                case .node(let index): first + index
                case .job(let job): job.rawValue
                }
            stored.children.append(target)
            guard jobs[target]?.view.state != .completed else { continue }
            stored.missing += 1
            jobs[target]?.dependents.append(id)
        }
        stored.view.state = stored.missing == 0 ? .waiting : .waitingChildren
        jobs[id] = stored
        if stored.missing == 0 { ready[queue, default: []].append(id) }
    }

    private func deliver() {
        for connection in connections {
            for stream in connection.streams.keys { deliver(connection, stream) }
        }
    }

    private func deliver(_ connection: TestServerHandler, _ number: UInt32) {
        guard let session = connection.session, let stream = connection.streams[number] else { return }
        var deliveries: [Delivery] = []
        for (index, queue) in stream.queues.enumerated() {
            while deliveries.count < stream.credits, let id = ready[queue]?.popFirst(), let job = jobs[id]?.view {
                jobs[id]?.view.state = .active
                jobs[id]?.view.attemptsStarted += 1
                sessions[session]?.leases[nextToken] = Lease(job: id, stream: number, connection: connection)
                deliveries.append(delivery(job, queue: UInt16(index), hasChildren: jobs[id]?.children.isEmpty == false))
                nextToken += 1
            }
        }
        guard !deliveries.isEmpty else { return }
        connection.streams[number]?.credits -= deliveries.count
        connection.send(Deliver(deliveries: deliveries), stream: number)
    }

    private func delivery(_ job: JobView, queue: UInt16, hasChildren: Bool) -> Delivery {
        Delivery(
            slot: UInt32(truncatingIfNeeded: nextToken),
            token: LeaseToken(nextToken),
            job: job.id,
            flow: job.flow,
            queue: queue,
            attempts: job.options.attempts,
            attemptsMade: job.attemptsMade,
            hasDependencies: hasChildren,
            contentType: job.contentType,
            attemptsStarted: job.attemptsStarted + 1,
            stalledCount: job.stalledCount,
            priority: job.options.priority,
            createdAt: job.createdAt,
            name: job.name,
            data: job.data
        )
    }

    func takeLease(_ token: UInt64, _ connection: TestServerHandler) -> UInt64? {
        guard let session = connection.session, let lease = sessions[session]?.leases.removeValue(forKey: token)
        else { return nil }
        lease.connection?.streams[lease.stream]?.credits += 1
        return lease.job
    }

    private func giveBack(_ token: UInt64, _ connection: TestServerHandler) {
        guard let job = takeLease(token, connection), let queue = jobs[job]?.view.queue else { return }
        released += 1
        jobs[job]?.view.state = .waiting
        ready[queue, default: []].prepend(job)
    }

    private func end(
        _ connection: TestServerHandler,
        _ sequence: UInt64,
        _ token: LeaseToken,
        _ state: PenstockWire.JobState,
        _ outcome: JobOutcome
    ) {
        guard finish(token, state, outcome, connection) else {
            settle(connection, sequence, WireError(.fenced, "the lease is gone"))
            return
        }
        settle(connection, sequence, nil)
    }

    /// Ends the attempt under a lease.
    /// - Returns: false where there is no such lease.
    @discardableResult
    func finish(
        _ token: LeaseToken,
        _ state: PenstockWire.JobState,
        _ outcome: JobOutcome,
        _ connection: TestServerHandler
    ) -> Bool {
        guard let id = takeLease(token.rawValue, connection), let job = jobs[id] else { return false }
        completed += 1
        jobs[id]?.view.attemptsMade += 1
        jobs[id]?.view.outcome = outcome
        if state == .failed, job.view.attemptsMade + 1 < job.view.options.attempts {
            jobs[id]?.view.state = .waiting
            ready[job.view.queue, default: []].append(id)
            return true
        }
        jobs[id]?.view.state = state
        jobs[id]?.view.cause = state == .failed ? .error : .none
        for dependent in job.dependents where state == .completed {
            jobs[dependent]?.missing -= 1
            guard jobs[dependent]?.missing == 0, let queue = jobs[dependent]?.view.queue,
                jobs[dependent]?.view.state == .waitingChildren
            else { continue }
            jobs[dependent]?.view.state = .waiting
            ready[queue, default: []].append(dependent)
        }
        for wait in waits where wait.0 == id { answer(id, wait.1, wait.2) }
        waits.removeAll { $0.0 == id }
        return true
    }

    /// Takes the lease of a job away.
    func revoke(job: UInt64) {
        for connection in connections {
            guard let session = connection.session,
                let token = sessions[session]?.leases.first(where: { $0.value.job == job })?.key,
                let job = takeLease(token, connection)
            else { continue }
            jobs[job]?.view.state = .cancelled
            let lease = Revoked.Lease(
                slot: UInt32(truncatingIfNeeded: token),
                token: LeaseToken(token),
                reason: .withdrawn
            )
            connection.send(Revoked(leases: [lease]))
        }
        turnEnded()
    }
}

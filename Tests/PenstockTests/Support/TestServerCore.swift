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
    private var nextJob: UInt64 = 1
    private var nextFlow: UInt64 = 1
    private var nextToken: UInt64 = 1
    private var commit: UInt64 = 0
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
            let message = try Subscribe(body: body)
            connection.streams[header.stream] = Stream(queues: message.queues, credits: Int(message.creditJobs))
            connection.send(Subscribed(heartbeat: 10_000), correlation: correlation)
        case .credit: connection.streams[header.stream]?.credits += Int(try Credit(body: body).jobs)
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
            guard case .job(let id) = try Wait(body: body).target, let job = jobs[id.rawValue] else {
                connection.refuse(header, WireError(.jobNotFound, "no such job"))
                return
            }
            if job.view.state.isFinished {
                answer(id.rawValue, connection, correlation)
            } else {
                waits.append((id.rawValue, connection, correlation))
            }
        case .heartbeat: connection.send(Heartbeat(number: commit))
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

    private func settle(_ connection: TestServerHandler, _ sequence: UInt64, _ error: WireError?, _ body: [UInt8] = [])
    {
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
        var items: [AddOutcome.Item] = []
        let first = nextJob
        for item in message.items {
            let flow = item.isFlow ? nextFlow : 0
            if item.isFlow { nextFlow += 1 }
            items.append(
                .init(flow: FlowID(rawValue: flow).wire, first: .init(nextJob), nodes: UInt32(item.nodes.count))
            )
            for node in item.nodes { add(node, queue: message.queues[Int(node.queue)], flow: flow, first: first) }
        }
        var writer = WireWriter()
        AddOutcome(items: items).encode(into: &writer)
        settle(connection, message.sequence, nil, writer.bytes)
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

    private func takeLease(_ token: UInt64, _ connection: TestServerHandler) -> UInt64? {
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
        guard let id = takeLease(token.rawValue, connection), let job = jobs[id] else {
            settle(connection, sequence, WireError(.fenced, "the lease is gone"))
            return
        }
        settle(connection, sequence, nil)
        completed += 1
        jobs[id]?.view.attemptsMade += 1
        jobs[id]?.view.outcome = outcome
        if state == .failed, job.view.attemptsMade + 1 < job.view.options.attempts {
            jobs[id]?.view.state = .waiting
            ready[job.view.queue, default: []].append(id)
            return
        }
        jobs[id]?.view.state = state
        jobs[id]?.view.cause = state == .failed ? .error : .none
        for dependent in job.dependents where state == .completed {
            jobs[dependent]?.missing -= 1
            guard jobs[dependent]?.missing == 0, let queue = jobs[dependent]?.view.queue else { continue }
            jobs[dependent]?.view.state = .waiting
            ready[queue, default: []].append(dependent)
        }
        for wait in waits where wait.0 == id { answer(id, wait.1, wait.2) }
        waits.removeAll { $0.0 == id }
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

    // MARK: Reads

    private func answer(_ id: UInt64, _ connection: TestServerHandler, _ correlation: UInt32) {
        guard let view = jobs[id]?.view else { return }
        connection.send(Waited(view: view), correlation: correlation)
    }

    private func find(_ reference: JobReference, _ connection: TestServerHandler, _ header: FrameHeader) {
        let found =
            switch reference {
            case .id(let id): jobs[id.rawValue]
            case .custom(let queue, let id): jobs.values.first { $0.view.queue == queue && $0.view.customID == id }
            }
        if let found {
            connection.send(found.view, correlation: header.correlation)
        } else {
            connection.refuse(header, WireError(.jobNotFound, "no such job"))
        }
    }

    /// Pages of two rows, so that a test sees several.
    private func dependencies(_ request: GetDependencies, _ connection: TestServerHandler, _ header: FrameHeader) {
        let children = jobs[request.job.rawValue]?.children ?? []
        let pages = request.pages.map { page in
            let all = children.enumerated().filter { jobs[$0.element]?.view.state == .completed }
            let rows = page.kind == .processed ? all[min(Int(page.cursor), all.count)...].prefix(2) : []
            let next = Int(page.cursor) + rows.count
            return DependencyPages.Page(
                kind: page.kind,
                next: next < all.count && !rows.isEmpty ? UInt64(next) : 0,
                rows: rows.map { position, id in
                    let view = jobs[id]?.view ?? JobView()
                    return .init(
                        position: UInt32(position),
                        job: view.id,
                        queue: view.queue,
                        name: view.name,
                        outcome: view.outcome
                    )
                }
            )
        }
        connection.send(DependencyPages(commit: commit, pages: pages), correlation: header.correlation)
    }
}

/// The answer to a wait: a job under the opcode of WAIT.
private struct Waited: WireMessage {
    static let opcode = Opcode.wait
    static let isReply = true
    var view: JobView
    init(view: JobView) { self.view = view }
    func encode(into writer: inout WireWriter) { view.encode(into: &writer) }
    init(from reader: inout WireReader) throws(WireError) { view = try JobView(from: &reader) }
}

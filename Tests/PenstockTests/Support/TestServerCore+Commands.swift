import DequeModule
import NIOCore
import PenstockWire

@testable import Penstock

// Commands about jobs that exist are noted, and answered as a test says; those under a lease do what they say.

extension TestServerCore {
    /// The last noted command.
    func last<Message: WireMessage>(_ type: Message.Type) -> Message? {
        guard let (opcode, body) = commands.last, opcode == Message.opcode else { return nil }
        return try? Message(body: body.rawSpan)
    }

    func command(_ opcode: Opcode, _ connection: TestServerHandler, _ body: [UInt8]) {
        commands.append((opcode, body))
        var reader = WireReader(body.rawSpan)
        guard let sequence = try? reader.u64() else { return }
        if let error = scripted[opcode]?.popFirst() { return settle(connection, sequence, error) }
        if opcode == .stage { return stage(connection, sequence, body) }
        var writer = WireWriter()
        if opcode != .finish && opcode != .resolve { CountOutcome(jobs: reached).encode(into: &writer) }
        settle(connection, sequence, nil, writer.bytes)
    }

    /// A part of a large add; what it holds is added with the last.
    private func stage(_ connection: TestServerHandler, _ sequence: UInt64, _ body: [UInt8]) {
        guard let message = try? Stage(body: body.rawSpan), let tail = message.tail else {
            staged = []
            return settle(connection, sequence, nil)
        }
        if let (part, error) = refusedStage, part == message.part { return settle(connection, sequence, error) }
        var items = tail.items
        if items.first?.kind == .more, let more = items.first, !staged.isEmpty {
            staged[staged.count - 1].nodes += more.nodes
            items.removeFirst()
        }
        staged += items
        guard message.part == .last else { return settle(connection, sequence, nil) }
        settle(connection, sequence, nil, add(tail.queues, staged))
        staged = []
    }

    func addHeld(_ connection: TestServerHandler, _ message: HeldAdd) {
        received.append((.addHeld, message.sequence))
        if let error = scripted[.addHeld]?.popFirst() { return settle(connection, message.sequence, error) }
        guard let holder = job(under: message.token, connection) else {
            return settle(connection, message.sequence, WireError(.fenced, "the lease is gone"))
        }
        let first = jobs.keys.max().map { $0 + 1 } ?? 1
        adds.append(Add(sequence: message.sequence, queues: message.add.queues, items: message.add.items))
        let outcome = add(message.add.queues, message.add.items)
        settle(connection, message.sequence, nil, outcome)
        if message.action == .complete {
            let result = JobOutcome.result(message.result.contentType, message.result.bytes)
            finish(message.token, .completed, result, connection)
        } else {
            // Every item of a test has one last job, its last node.
            var child = first - 1
            for item in message.add.items {
                child += UInt64(item.nodes.count)
                jobs[holder]?.children.append(child)
                jobs[holder]?.missing += 1
                jobs[child]?.dependents.append(holder)
            }
        }
    }

    func move(_ connection: TestServerHandler, _ message: Move) {
        received.append((.move, message.sequence))
        if let error = scripted[.move]?.popFirst() { return settle(connection, message.sequence, error) }
        guard let holder = job(under: message.token, connection), let job = jobs[holder] else {
            return settle(connection, message.sequence, WireError(.fenced, "the lease is gone"))
        }
        let moves = message.to == .delayed || job.missing > 0
        var writer = WireWriter()
        MoveOutcome(hasMoved: moves).encode(into: &writer)
        settle(connection, message.sequence, nil, writer.bytes)
        guard moves else { return }
        _ = takeLease(message.token.rawValue, connection)
        if let data = message.data {
            jobs[holder]?.view.contentType = data.contentType
            jobs[holder]?.view.data = data.bytes
        }
        jobs[holder]?.view.state = message.to == .delayed ? .waiting : .waitingChildren
        // The test's server knows no time: what is delayed is ready.
        if message.to == .delayed { ready[job.view.queue, default: []].append(holder) }
    }

    private func job(under token: LeaseToken, _ connection: TestServerHandler) -> UInt64? {
        connection.session.flatMap { sessions[$0]?.leases[token.rawValue]?.job }
    }
}

import PenstockTesting
import PenstockWire
import TestSupport
import Testing

/// Clients that do anything at any time. The server outlives them, and loses nothing.
@Suite(.inTurns) struct `Chaos on the wire` {
    /// Frames of every opcode with bodies that are nearly right, from a seed.
    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func `frames with random changes cost their sender the connection at most`(_ seed: UInt64) async throws {
        try await withWireServer { server in
            var random = SeededRandom(seed)
            let healthy = try server.openClient()
            try healthy.subscribe(["healthy"])
            for _ in 0..<60 {
                let bad = try server.openClient()
                try bad.add(3, queue: "q")
                try bad.subscribe(["q"], jobs: 3)
                for _ in 0..<20 {
                    if !bad.send(bytes: nearlyRight(&random)) { break }
                }
                bad.close()
                try healthy.add(queue: "healthy")
                #expect(try healthy.complete(healthy.deliveries()[0]) == .ok)
            }
        }
    }

    private func nearlyRight(_ random: inout SeededRandom) -> [UInt8] {
        let id = JobID(random.next() % 200)
        let token = LeaseToken(epoch: 1, counter: random.next() % 200)
        let tokens = (0..<random.next() % 4).map { LeaseToken(epoch: 1, counter: $0 + random.next() % 100) }
        let stream = UInt32(random.next() % 4)
        let sequence = 2 + random.next() % 3
        let completion = Completion(slot: UInt32(random.next() % 5), token: token)
        let failure = Failure(slot: completion.slot, token: token, message: "no")
        let node = AddNode(queue: 0, name: "x", dependencies: [DependencyFields(.job(id))])
        var frame: [UInt8] =
            switch random.next() % 26 {
            case 23: WireClient.frame(Listen(.queue("q"), since: random.next() % 3 << 40), stream: stream)
            case 24: WireClient.frame(Listen(.flow(FlowID(id.rawValue)), creditBytes: 100), stream: stream)
            case 25: WireClient.frame(Unlisten(), stream: stream)
            case 20: WireClient.frame(nearlyRightMove(sequence, completion, &random))
            case 21, 22: WireClient.frame(nearlyRightAdd(sequence, completion, &random))
            case 0: WireClient.frame(Complete(sequence: sequence, completions: [completion, completion]))
            case 1: WireClient.frame(Fail(sequence: sequence, failures: [failure]))
            case 2:
                WireClient.frame(Add(sequence: sequence, queues: ["q"], items: [AddItem(isFlow: true, nodes: [node])]))
            case 3: WireClient.frame(Release(tokens: tokens), correlation: 3)
            case 4: WireClient.frame(Hold(tokens: tokens), correlation: 3)
            case 5: WireClient.frame(Heartbeat(number: random.next() % 3))
            case 6: WireClient.frame(Goodbye())
            case 7: WireClient.frame(Subscribe(queues: ["q", "r\(random.next() % 9)"], creditJobs: 2), stream: stream)
            case 8: WireClient.frame(Credit(jobs: 1, bytes: 1), stream: stream)
            case 9: WireClient.frame(Unsubscribe(), stream: stream)
            case 10: WireClient.frame(GetJob(job: .id(id)))
            case 11:
                WireClient.frame(
                    GetDependencies(job: id, pages: [.init(kind: .unprocessed, cursor: random.next() % 9)])
                )
            case 12: WireClient.frame(GetDependents(job: id, cursor: random.next()))
            case 13: WireClient.frame(GetFlow(flow: FlowID(id.rawValue)))
            case 14: WireClient.frame(GetFlowNodes(flow: FlowID(id.rawValue), cursor: random.next() % 300))
            case 15:
                WireClient.frame(
                    GetFlowEdges(
                        flow: FlowID(id.rawValue),
                        cursor: FlowEdgeCursor(job: id, position: random.next() % 9)
                    )
                )
            case 16: WireClient.frame(Wait(target: .job(id), timeout: UInt32(random.next() % 100)))
            case 17: WireClient.frame(GetQueue(queue: "q"))
            case 18: WireClient.frame(CountDependencies(job: id))
            default: WireClient.frame(Hello(session: .random(), mode: .resume))
            }
        // Half of them as they are, the others with a byte or two changed, or cut.
        if random.next() % 2 == 0 {
            for _ in 0...random.next() % 2 {
                frame[Int(random.next() % UInt64(frame.count))] = UInt8(truncatingIfNeeded: random.next())
            }
        }
        return frame
    }

    private func nearlyRightMove(_ sequence: UInt64, _ lease: Completion, _ random: inout SeededRandom) -> Move {
        let place: Move.Place = random.next() % 2 == 0 ? .delayed : .waitingChildren
        return Move(
            sequence: sequence,
            slot: lease.slot,
            token: lease.token,
            to: place,
            delay: place == .delayed ? random.next() % 3 : 0,
            data: random.next() % 2 == 0 ? Payload(.binary, [1]) : nil
        )
    }

    private func nearlyRightAdd(_ sequence: UInt64, _ lease: Completion, _ random: inout SeededRandom) -> HeldAdd {
        HeldAdd(
            sequence: sequence,
            slot: lease.slot,
            token: lease.token,
            action: random.next() % 2 == 0 ? .add : .complete,
            add: AddTail(queues: ["q"], items: [.child(key: random.next() % 2 == 0 ? "k" : nil), .single("x")])
        )
    }

    /// Commands that may end a lease and do not, or do, and others of the same lease behind them.
    private func mayEnd(_ delivery: Delivery, _ client: WireClient, _ random: inout SeededRandom) -> [UInt8] {
        var bytes =
            switch random.next() % 3 {
            case 0: WireClient.frame(client.moving(delivery))
            case 1: WireClient.frame(client.moving(delivery, to: .delayed))
            default: WireClient.frame(client.heldAdd(delivery, .complete, [.single("x", after: [JobID(1 << 40)])]))
            }
        switch random.next() % 4 {
        case 0: bytes += WireClient.frame(Release(tokens: [delivery.token]), correlation: 1)
        case 1:
            let completion = Completion(slot: delivery.slot, token: delivery.token)
            bytes += WireClient.frame(Complete(sequence: client.newSequence(), completions: [completion]))
        case 2: bytes += WireClient.frame(client.moving(delivery))
        default: break
        }
        return bytes
    }

    /// Every way in which a lease can end, at the same time, again and again.
    @Test(arguments: [11, 12, 13, 14, 15, 16] as [UInt64])
    func `whatever becomes of its leases, every job is completed`(_ seed: UInt64) async throws {
        try await withWireServer { server in
            var random = SeededRandom(seed)
            var options = NodeOptions()
            options.maxStalledCount = .max
            options.attempts = .max
            let adder = try server.openClient()
            let ids = try adder.add(200, queue: "q", options: options)
            var clients: [(client: WireClient, held: [Delivery])] = []
            for _ in 0..<5 {
                let client = try server.openClient(lockDuration: 1000)
                try client.subscribe(["q"], jobs: 10, lockDuration: 1000)
                clients.append((client, []))
            }
            for _ in 0..<400 {
                let index = Int(random.next() % UInt64(clients.count))
                let client = clients[index].client
                // Those whose connection was closed come back, with what they believe to hold.
                func comeBack() throws {
                    var next = try server.wireClient()
                    let tokens = clients[index].held.map(\.token)
                    let answer = try next.hello(resuming: client.session, confirmed: 0)
                    if answer.refusal == nil {
                        let dead = try next.request(Hold(tokens: tokens), Held.self).get().fenced
                        clients[index].held.removeAll { dead.contains($0.token) }
                    } else {
                        next = try server.openClient(lockDuration: 1000)
                        clients[index].held = []
                    }
                    try next.subscribe(["q"], jobs: 10, lockDuration: 1000)
                    clients[index].client = next
                }
                do {
                    clients[index].held += try client.allDeliveries()
                    let held = clients[index].held
                    let some = held.shuffled(using: &random).prefix(3)
                    switch random.next() % 12 {
                    case 9, 10:
                        // In one write: what may end a lease or not, and what ends it.
                        let bytes = some.flatMap { mayEnd($0, client, &random) }
                        client.send(bytes: bytes)
                        if random.next() % 2 == 0 { _ = try client.outcome(client.sequence) }
                    case 0, 1, 2:
                        for delivery in some { _ = try client.complete(delivery) }
                    case 3:
                        // In one write: completed, failed, given back.
                        var bytes: [UInt8] = []
                        for delivery in some {
                            let completion = Completion(slot: delivery.slot, token: delivery.token)
                            let failure = Failure(slot: delivery.slot, token: delivery.token, message: "no")
                            bytes += WireClient.frame(
                                Fail(sequence: client.newSequence(count: 2), failures: [failure, failure])
                            )
                            bytes += WireClient.frame(Release(tokens: [delivery.token]), correlation: 1)
                            bytes += WireClient.frame(
                                Complete(sequence: client.newSequence(), completions: [completion])
                            )
                        }
                        client.send(bytes: bytes)
                    case 4: client.send(Release(tokens: some.map(\.token)))
                    case 5:
                        client.send(Goodbye(), correlation: 2)
                        try comeBack()
                    case 6: try comeBack()
                    case 7:
                        client.close()
                        try comeBack()
                    case 8: server.advanceLeases(by: .milliseconds(Int(random.next() % 1200)))
                    default: client.send(Hold(tokens: some.map(\.token)), correlation: 2)
                    }
                } catch {
                    try comeBack()
                }
            }
            for client in clients { client.client.close() }
            server.advanceLeases(by: .seconds(40))
            let last = try server.openClient()
            try last.poll { $0.leases == 0 }
            try last.subscribe(["q"], jobs: 20)
            while try last.counts("q")[.completed] < 200 {
                for delivery in try last.allDeliveries() { #expect(try last.complete(delivery) == .ok) }
            }
            let states = try ids.map { try last.job($0).state }
            #expect(states.allSatisfy { $0 == .completed })
            let counts = try last.counts("q")
            #expect(counts.total == 200)
            try last.poll { $0.leases == 0 }
        }
    }
}

/// Numbers that look random: the same seed gives the same ones.
private struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

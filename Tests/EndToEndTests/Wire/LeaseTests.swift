import PenstockTesting
import PenstockWire
import TestSupport
import Testing

/// Leases: who holds a job, for how long, and what a stale token is worth.
@Suite(.inTurns) struct `Leases on the wire` {
    @Test func `a token counts only in its session, with its slot, and once`() async throws {
        try await withWireServer { server in
            let owner = try server.openClient()
            let thief = try server.openClient()
            try owner.add(queue: "q")
            try owner.subscribe(["q"])
            let delivery = try owner.deliveries()[0]
            #expect(try thief.complete(delivery) == .fenced)
            #expect(
                try thief.request(Release(tokens: [delivery.token]), Released.self).get().fenced == [delivery.token]
            )
            for slot: UInt32 in [delivery.slot + 1, 1_000_000, .max] {
                #expect(try owner.complete(slot: slot, token: delivery.token) == .fenced)
            }
            for token: UInt64 in [0, 1, delivery.token.rawValue + 1, .max] {
                #expect(try owner.complete(slot: delivery.slot, token: LeaseToken(token)) == .fenced)
            }
            #expect(try owner.complete(delivery) == .ok)
            #expect(try owner.complete(delivery) == .fenced)
            #expect(try owner.fail(delivery) == .fenced)
        }
    }

    @Test func `the same token many times in one frame counts once`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.add(queue: "q")
            try client.subscribe(["q"])
            let delivery = try client.deliveries()[0]
            let completion = Completion(slot: delivery.slot, token: delivery.token)
            let first = client.newSequence(count: 100)
            client.send(Complete(sequence: first, completions: Array(repeating: completion, count: 100)))
            let codes = try (first..<first + 100).map { ErrorCode(rawValue: try client.outcome($0).status) }
            #expect(codes.count { $0 == .ok } == 1)
            #expect(codes.count { $0 == .fenced } == 99)
            #expect(codes[0] == .ok)
        }
    }

    @Test func `complete, fail, release and goodbye at once for one lease hurt nobody`() async throws {
        try await withWireServer { server in
            for order in 0..<6 {
                let client = try server.openClient()
                let id = try client.add(queue: "q-\(order)")[0]
                try client.subscribe(["q-\(order)"])
                let delivery = try client.deliveries()[0]
                let complete = Complete(
                    sequence: 2,
                    completions: [Completion(slot: delivery.slot, token: delivery.token)]
                )
                let fail = Fail(
                    sequence: 3,
                    failures: [Failure(slot: delivery.slot, token: delivery.token, message: "no")]
                )
                let release = WireClient.frame(Release(tokens: [delivery.token, delivery.token]), correlation: 8)
                let commands = WireClient.frame(complete) + WireClient.frame(fail)
                let hold = WireClient.frame(Hold(tokens: []), correlation: 9)
                var bytes: [UInt8] =
                    switch order {
                    case 0: commands + release
                    case 1: release + commands
                    case 2: commands + hold
                    case 3: hold + commands + release
                    case 4: release + hold + commands
                    default: commands
                    }
                bytes += WireClient.frame(Goodbye(), correlation: 10)
                client.send(bytes: bytes)
                #expect(try client.untilClosed().last?.header.correlation == 10)
                let other = try server.openClient()
                let isDone = try other.job(id).state == .completed
                // A HOLD in a session that was not resumed is refused.
                #expect(isDone == ![1, 4].contains(order))
                #expect(try other.roundTrip().leases == 0)
            }
        }
    }

    @Test func `a lease that runs out makes the job stall, and the worker is told`() async throws {
        try await withWireServer { server in
            let lost = try server.openClient()
            let id = try lost.add(queue: "q")[0]
            try lost.subscribe(["q"])
            let delivery = try lost.deliveries()[0]
            // Heartbeats are missed first: the connection goes, the lease stays.
            let other = try server.openClient()
            try other.subscribe(["q"])
            server.advanceLeases(by: .seconds(21))
            #expect(try lost.hardError().error == .heartbeatMissed)
            let third = try server.openClient()
            try third.subscribe(["q"])
            #expect(try third.deliveredNothing())
            #expect(try third.job(id).state == .active)
            server.advanceLeases(by: .seconds(10))
            let again = try third.deliveries()[0]
            #expect(again.job == id)
            #expect(again.stalledCount == 1)
            #expect(again.attemptsMade == 0)
            let back = try server.wireClient()
            #expect(try back.resume(lost, confirmed: 1, holding: [delivery.token]).held.fenced == [delivery.token])
            #expect(try back.complete(delivery) == .fenced)
            #expect(try third.complete(again) == .ok)
        }
    }

    @Test func `heartbeats hold a lease for a handler of any length`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let id = try client.add(queue: "q")[0]
            try client.subscribe(["q"], lockDuration: 10_000)
            let delivery = try client.deliveries()[0]
            // An hour, in steps shorter than the lease.
            for _ in 0..<720 {
                server.advanceLeases(by: .seconds(5))
                client.send(Heartbeat(number: 0))
                _ = try client.roundTrip()
            }
            let view = try client.job(id)
            #expect((view.state, view.stalledCount) == (.active, 0))
            #expect(try client.complete(delivery) == .ok)
        }
    }

    @Test func `a lease that runs out under a live connection is revoked`() async throws {
        try await withWireServer { server in
            // A lease longer than the interval of heartbeats allows for: only what is complete renews it.
            let client = try server.openClient()
            try client.add(queue: "q")
            try client.subscribe(["q"], lockDuration: 1000)
            let delivery = try client.deliveries()[0]
            // Half a frame is no sign of life.
            client.send(bytes: [20, 0])
            server.advanceLeases(by: .milliseconds(1100))
            let frames = try client.untilClosed()
            #expect(frames.contains { $0.error == .heartbeatMissed } || frames.contains { $0.opcode == .revoked })
            let other = try server.openClient()
            try other.subscribe(["q"])
            let again = try other.deliveries()[0]
            #expect(again.job == delivery.job)
            #expect(again.stalledCount == 1)
        }
    }

    @Test func `heartbeats renew every lease`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.add(3, queue: "q")
            try client.subscribe(["q"], jobs: 3)
            let deliveries = try client.deliveries(3)
            for _ in 0..<6 {
                server.advanceLeases(by: .seconds(9))
                client.send(Heartbeat(number: 1))
                try client.roundTrip()
            }
            for delivery in deliveries { #expect(try client.complete(delivery) == .ok) }
        }
    }

    @Test func `a job that stalls too often fails`() async throws {
        try await withWireServer { server in
            let adder = try server.openClient()
            let id = try adder.add(queue: "q")[0]
            for stalls in 1...2 {
                let worker = try server.openClient()
                try worker.subscribe(["q"])
                _ = try worker.deliveries()
                worker.close()
                server.advanceLeases(by: .seconds(15))
                adder.close()
                let watcher = try server.openClient()
                server.advanceLeases(by: .seconds(16))
                try watcher.poll { _ in try watcher.job(id).stalledCount == UInt32(stalls) }
                let job = try watcher.job(id)
                #expect(job.state == (stalls == 2 ? .failed : .waiting))
                #expect(job.cause == (stalls == 2 ? .stalled : .none))
            }
        }
    }

    @Test func `a released job goes back to its place, with no attempt made`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let ids = try client.add(3, queue: "q")
            try client.subscribe(["q"], jobs: 1)
            let first = try client.deliveries()[0]
            #expect(try client.request(Release(tokens: [first.token]), Released.self).get().fenced.isEmpty)
            // The credit went to the second at once; the first is the next, once it is back.
            let second = try client.deliveries()[0]
            try client.poll { _ in try client.job(ids[0]).state == .waiting }
            #expect(try client.complete(second) == .ok)
            let again = try client.deliveries()[0]
            #expect(again.job == ids[0])
            #expect(again.attemptsStarted == 2)
            #expect(again.attemptsMade == 0)
            #expect(try client.request(Release(tokens: [first.token]), Released.self).get().fenced == [first.token])
        }
    }

    @Test func `a job whose dependency fails is withdrawn from nobody, and one that is withdrawn is revoked`()
        async throws
    {
        try await withWireServer { server in
            // The root continues when its first child fails, is leased, and then the second child, which was detached,
            // must not touch it; with failParent of a shared job an active dependent is fenced.
            let client = try server.openClient()
            let add = Add(
                sequence: client.newSequence(),
                queues: ["children", "parents"],
                items: [
                    AddItem(
                        isFlow: true,
                        nodes: [
                            AddNode(queue: 0, name: "first"), AddNode(queue: 0, name: "second"),
                            AddNode(
                                queue: 1,
                                name: "parent",
                                dependencies: [
                                    DependencyFields(.node(0), policy: .continue),
                                    DependencyFields(.node(1), policy: .failParent),
                                ]
                            ),
                        ]
                    )
                ]
            )
            let ids = try client.add(add)
            try client.subscribe(["children"], stream: 1, jobs: 2)
            try client.subscribe(["parents"], stream: 2, jobs: 1)
            let children = try client.deliveries(2)
            #expect(try client.fail(children[0], unrecoverable: true) == .ok)
            let parent = try client.deliveries()[0]
            #expect(parent.job == ids[2])
            #expect(try client.fail(children[1], unrecoverable: true) == .ok)
            #expect(try client.complete(parent) == .ok)
            #expect(try client.job(ids[2]).state == .completed)
        }
    }

    @Test func `a result above the limit is refused, and the lease stays`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.add(queue: "q")
            try client.subscribe(["q"])
            let delivery = try client.deliveries()[0]
            let large = [UInt8](repeating: 1, count: Limits.payloadBytesMax + 1)
            #expect(try client.complete(delivery, result: large) == .resultTooLarge)
            #expect(try client.complete(delivery, result: Array(large.dropLast())) == .ok)
        }
    }

    @Test func `a failure above the limit is refused, and the lease stays`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.add(queue: "q")
            try client.subscribe(["q"])
            let delivery = try client.deliveries()[0]
            func code(_ message: Int, _ details: Int, delay: UInt64? = nil) throws -> ErrorCode? {
                let number = client.newSequence()
                let failure = Failure(
                    slot: delivery.slot,
                    token: delivery.token,
                    delay: delay,
                    message: String(repeating: "m", count: message),
                    details: [UInt8](repeating: 0, count: details)
                )
                client.send(Fail(sequence: number, failures: [failure]))
                return ErrorCode(rawValue: try client.outcome(number).status)
            }
            #expect(try code(4097, 0) == .failureTooLarge)
            #expect(try code(0, 16 * 1024 + 1) == .failureTooLarge)
            #expect(try code(1, 1, delay: Limits.delayMillisecondsMax + 1) == .invalidOption)
            #expect(try code(4096, 16 * 1024) == .ok)
        }
    }
}

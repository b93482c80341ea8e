import PenstockTesting
import PenstockWire
import TestSupport
import Testing

/// Sessions outlive connections: nothing is lost, nothing happens twice.
@Suite(.inTurns) struct `Sessions on the wire` {
    private static func add(_ number: UInt64) -> Add {
        Add(sequence: number, queues: ["q"], items: [AddItem(isFlow: false, nodes: [AddNode(queue: 0, name: "x")])])
    }

    @Test func `an outcome that was lost is sent again, and the command is not applied twice`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            first.send(Self.add(first.newSequence()))
            first.close()
            let second = try server.wireClient()
            let welcome = try second.resume(first).welcome
            #expect(welcome.resumed)
            // The add has arrived, or was lost with the connection; either way it is applied once.
            if welcome.lastApplied == 0 { second.send(Self.add(second.newSequence())) }
            #expect(try second.outcome(1).status == 0)
            #expect(try second.counts("q").total == 1)
        }
    }

    @Test func `outcomes are sent until they are confirmed`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            for _ in 0..<3 { try first.add(queue: "q") }
            first.send(Heartbeat(number: 2))
            try first.roundTrip()
            let second = try server.wireClient()
            #expect(try second.resume(first, confirmed: 2).welcome.lastApplied == 3)
            #expect(try second.outcome(3).status == 0)
            #expect(second.outcomes[1] == nil)
            let third = try server.wireClient()
            try third.resume(second, confirmed: 3)
            try third.roundTrip()
            #expect(!third.skipped.contains { $0.opcode == .applied })
        }
    }

    @Test func `a command that was applied is refused by its number when it is sent again`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            try first.add(queue: "q")
            let second = try server.wireClient()
            try second.resume(first, confirmed: 1)
            second.send(Self.add(1))
            #expect(try second.hardError().error == .badSequence)
            #expect(try server.openClient().counts("q").total == 1)
        }
    }

    @Test func `a HOLD that nobody asked for gives no lease back`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            try first.add(2, queue: "q")
            try first.subscribe(["q"], jobs: 2)
            let deliveries = try first.deliveries(2)
            // In a new session.
            #expect(try first.request(Hold(tokens: []), Held.self).refusal == .invalidRequest)
            #expect(try first.complete(deliveries[0]) == .ok)
            let second = try server.wireClient()
            try second.resume(first, confirmed: 1, holding: [deliveries[1].token])
            // A second one.
            #expect(try second.request(Hold(tokens: []), Held.self).refusal == .invalidRequest)
            #expect(try second.complete(deliveries[1]) == .ok)
        }
    }

    @Test func `a second connection takes the session over`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            try first.add(2, queue: "q")
            try first.subscribe(["q"], jobs: 1)
            let delivery = try first.deliveries()[0]
            let second = try server.wireClient()
            let held = try second.resume(first, confirmed: 1, holding: [delivery.token]).held
            #expect(held.fenced.isEmpty)
            #expect(try first.hardError().error == .sessionTakenOver)
            try second.subscribe(["q"], stream: 9, jobs: 1)
            #expect(try second.complete(delivery) == .ok)
            #expect(try second.complete(second.deliveries()[0]) == .ok)
        }
    }

    @Test func `connections that take a session over one after the other all get their answer`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            var clients: [WireClient] = []
            for _ in 0..<20 {
                let client = try server.wireClient()
                client.send(Hello(session: first.session, mode: .resume), correlation: 1)
                clients.append(client)
            }
            var welcomed = 0
            for client in clients {
                let frames = [try client.next { $0.isError || $0.opcode == .hello }]
                if frames[0].error == nil { welcomed += 1 } else { #expect(frames[0].error == .sessionTakenOver) }
            }
            #expect(welcomed >= 1)
            let last = try server.wireClient()
            try last.resume(first)
            try last.add(queue: "q")
        }
    }

    @Test func `HOLD gives back what is not listed, without a stall, and tells what is dead`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            let ids = try first.add(2, queue: "q")
            try first.subscribe(["q"], jobs: 2)
            let deliveries = try first.deliveries(2)
            first.close()
            let second = try server.wireClient()
            let dead = LeaseToken(4711)
            let held = try second.resume(first, holding: [deliveries[0].token, dead]).held
            #expect(held.fenced == [dead])
            try second.subscribe(["q"], jobs: 5)
            let again = try second.deliveries()[0]
            #expect(again.job == ids[1])
            #expect(again.stalledCount == 0)
            #expect(again.attemptsStarted == 2)
            #expect(try second.complete(deliveries[1]) == .fenced)
            #expect(try second.complete(deliveries[0]) == .ok)
            #expect(try second.complete(again) == .ok)
        }
    }

    @Test func `a resumed session begins with HOLD`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            let second = try server.wireClient()
            _ = try second.hello(resuming: first.session).get()
            let subscribe = Subscribe(queues: ["q"], creditJobs: 1)
            #expect(try second.request(subscribe, stream: 1, Subscribed.self).refusal == .invalidRequest)
            #expect(try second.request(Listen(.all), stream: 1, Listening.self).refusal == .invalidRequest)
            #expect(try second.request(Release(tokens: []), Released.self).refusal == .invalidRequest)
            // Reads and signs of life may come before it; an unknown opcode costs no connection.
            second.send(Heartbeat(number: 0))
            second.send(bytes: WireClient.frame(opcode: 0xEE, correlation: 3))
            #expect(try second.reply(to: 3, ServerView.self).refusal == .unknownOpcode)
            try second.roundTrip()
            second.send(Self.add(1))
            let error = try second.hardError()
            #expect(error.error == .badSequence)
            #expect(error.opcode == .add)
        }
    }

    @Test func `after a crash a young lease is gone, its token fenced, and its job runs again`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            let id = try first.add(queue: "q")[0]
            try first.subscribe(["q"])
            let delivery = try first.deliveries()[0]
            server.crash()
            try server.start()
            let second = try server.wireClient()
            let (welcome, held) = try second.resume(first, confirmed: 1, holding: [delivery.token])
            #expect(welcome.lastApplied == 1)
            #expect(held.fenced == [delivery.token])
            #expect(try second.complete(delivery) == .fenced)
            try second.subscribe(["q"])
            let again = try second.deliveries()[0]
            #expect(again.job == id)
            #expect(again.token != delivery.token)
            #expect(again.stalledCount == 0)
            #expect(try second.complete(again) == .ok)
        }
    }

    @Test func `after a crash a lease that was old enough is still held`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            let id = try first.add(queue: "q")[0]
            try first.subscribe(["q"])
            let delivery = try first.deliveries()[0]
            let before = try first.roundTrip().commits
            server.advanceLeases(by: .milliseconds(600))
            try first.poll { $0.commits > before }
            server.crash()
            try server.start()
            let other = try server.openClient()
            try other.subscribe(["q"])
            #expect(try other.deliveredNothing())
            #expect(try other.job(id).state == .active)
            let second = try server.wireClient()
            #expect(try second.resume(first, confirmed: 1, holding: [delivery.token]).held.fenced.isEmpty)
            #expect(try second.complete(delivery) == .ok)
            #expect(try other.job(id).state == .completed)
            #expect(try other.job(id).attemptsStarted == 1)
        }
    }

    @Test func `a clean stop keeps every lease`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            try first.add(queue: "q")
            try first.subscribe(["q"])
            let delivery = try first.deliveries()[0]
            try server.restart()
            let second = try server.wireClient()
            #expect(try second.resume(first, confirmed: 1, holding: [delivery.token]).held.fenced.isEmpty)
            #expect(try second.complete(delivery) == .ok)
        }
    }

    @Test func `leases that a restart has kept end as they would have, whatever their place is now`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            try first.add(10, queue: "q")
            try first.subscribe(["q"], jobs: 10)
            var deliveries = try first.deliveries(10)
            // The place of the first one is vacant, and so the others move up.
            #expect(try first.complete(deliveries.removeFirst()) == .ok)
            try server.restart()
            let second = try server.wireClient()
            let tokens = deliveries.map(\.token)
            #expect(try second.resume(first, confirmed: 2, holding: tokens).held.fenced.isEmpty)
            let thief = try server.openClient()
            for delivery in deliveries.reversed() {
                #expect(try thief.complete(delivery) == .fenced)
                #expect(try second.complete(delivery) == .ok)
                #expect(try second.complete(delivery) == .fenced)
            }
            #expect(try second.counts("q")[.completed] == 10)
            #expect(try second.roundTrip().leases == 0)
        }
    }

    @Test func `a lease of an earlier run that nobody comes back for runs out`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            try first.add(queue: "q")
            try first.subscribe(["q"])
            let delivery = try first.deliveries()[0]
            try server.restart()
            server.advanceLeases(by: .seconds(31))
            let other = try server.openClient()
            try other.subscribe(["q"])
            let again = try other.deliveries()[0]
            #expect(again.job == delivery.job)
            #expect(again.stalledCount == 1)
            let late = try server.wireClient()
            #expect(try late.resume(first, confirmed: 1, holding: [delivery.token]).held.fenced == [delivery.token])
            #expect(try late.complete(delivery) == .fenced)
            #expect(try other.complete(again) == .ok)
        }
    }

    @Test func `outcomes outlive a crash`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            let ids = try first.add(3, queue: "q")
            server.crash()
            try server.start()
            let second = try server.wireClient()
            #expect(try second.resume(first).welcome.lastApplied == 1)
            #expect(try second.outcome(1) == first.outcome(1))
            #expect(try second.add(queue: "q")[0] > ids[2])
        }
    }

    @Test func `GOODBYE gives leases back and forgets the session`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            try first.add(queue: "q")
            try first.subscribe(["q"])
            let delivery = try first.deliveries()[0]
            #expect(try first.request(Goodbye(), Farewell.self).refusal == nil)
            first.close()
            let second = try server.wireClient()
            #expect(try second.hello(resuming: first.session).refusal == .sessionUnknown)
            try second.open()
            try second.subscribe(["q"])
            let again = try second.deliveries()[0]
            #expect(again.job == delivery.job)
            #expect(again.stalledCount == 0)
            #expect(try second.complete(again) == .ok)
        }
    }

    @Test func `GOODBYE right behind commands answers all of them first`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            var bytes: [UInt8] = []
            for _ in 0..<50 { bytes += WireClient.frame(Self.add(client.newSequence())) }
            bytes += WireClient.frame(Goodbye(), correlation: 5)
            client.send(bytes: bytes)
            let frames = try client.untilClosed()
            #expect(frames.last?.opcode == .goodbye)
            #expect(frames.last?.header.correlation == 5)
            #expect(try server.openClient().counts("q").total == 50)
        }
    }

    @Test func `a session that has said goodbye can't be resumed while it ends`() async throws {
        try await withWireServer { server in
            for _ in 0..<30 {
                let first = try server.openClient()
                let second = try server.wireClient()
                first.send(bytes: WireClient.frame(Goodbye()))
                // Sent at once, so that it often comes before the end is durable.
                let answer = try second.hello(resuming: first.session, confirmed: 0)
                if answer.refusal == nil {
                    // It came before the goodbye: then that one is the old connection's, which was closed.
                    _ = try second.request(Hold(tokens: []), Held.self).get()
                    try second.add(queue: "q")
                } else {
                    #expect(answer.refusal == .sessionUnknown)
                }
            }
        }
    }

    @Test func `GOODBYE while a subscription is being made leaves nothing behind`() async throws {
        try await withWireServer { server in
            let healthy = try server.openClient()
            for round in 0..<50 {
                let queue = "new-\(round)"
                let leaving = try server.openClient()
                let subscribe = Subscribe(queues: [queue], creditJobs: 10)
                leaving.send(
                    bytes: WireClient.frame(subscribe, correlation: 1, stream: 1)
                        + WireClient.frame(Goodbye(), correlation: 2)
                )
                try healthy.add(queue: queue)
                _ = try leaving.untilClosed()
                try healthy.subscribe([queue], stream: UInt32(round + 1))
                #expect(try healthy.complete(healthy.deliveries()[0]) == .ok)
            }
            #expect(try healthy.roundTrip().leases == 0)
        }
    }

    @Test func `a connection that closes while its session is being opened leaves a session to resume`() async throws {
        try await withWireServer { server in
            let healthy = try server.openClient()
            var lost: [WireClient] = []
            for _ in 0..<20 {
                let client = try server.wireClient()
                client.send(Hello(session: client.session, mode: .open))
                client.close()
                lost.append(client)
            }
            try healthy.poll { $0.connections == 1 }
            for client in lost {
                let again = try server.wireClient()
                let answer = try again.hello(resuming: client.session)
                // The HELLO may have been lost with the connection.
                if answer.refusal == nil {
                    _ = try again.request(Hold(tokens: []), Held.self).get()
                    try again.add(queue: "q")
                } else {
                    #expect(answer.refusal == .sessionUnknown)
                }
            }
        }
    }

    @Test func `a frame before the welcome closes, and does not bring the connection back to life`() async throws {
        try await withWireServer { server in
            for _ in 0..<20 {
                let client = try server.wireClient()
                let bytes =
                    WireClient.frame(Hello(session: client.session, mode: .open), correlation: 1)
                    + WireClient.frame(GetServer(), correlation: 2)
                client.send(bytes: bytes)
                let frames = try client.untilClosed()
                #expect(frames.count == 1)
                #expect(frames.last?.error == .helloExpected)
            }
        }
    }

    @Test func `a session is forgotten a day after its last sign of life`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            try first.add(queue: "q")
            first.close()
            server.crash()
            try server.start()
            let other = try server.openClient()
            server.advance(by: .seconds(2 * 86_400))
            // The look for such sessions comes once an hour of the server's.
            let before = try other.roundTrip().commands
            server.advanceLeases(by: .seconds(3_601))
            let healthy = try server.openClient()
            try healthy.poll { $0.commands >= before + 2 }
            let second = try server.wireClient()
            #expect(try second.hello(resuming: first.session).refusal == .sessionUnknown)
        }
    }

    @Test func `a resumed session is kept for a day from then on, also where nothing was confirmed`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            server.crash()
            server.advance(by: .seconds(23 * 3600))
            try server.start()
            let second = try server.wireClient()
            try second.resume(first)
            second.close()
            let other = try server.openClient()
            try other.poll { $0.connections == 1 }
            server.advance(by: .seconds(2 * 3600))
            // The look for sessions to forget comes once an hour.
            let before = try other.roundTrip().commands
            server.advanceLeases(by: .seconds(3_601))
            let healthy = try server.openClient()
            try healthy.poll { $0.commands >= before + 2 }
            #expect(try server.wireClient().resume(first).welcome.resumed)
        }
    }

    @Test func `a connected session that confirms nothing is not forgotten`() async throws {
        try await withWireServer { server in
            let first = try server.openClient()
            // The server looks for sessions to forget at its start, and an hour later.
            for round in 0..<300 {
                if round == 10 { server.advance(by: .seconds(2 * 86_400)) }
                server.advanceLeases(by: .seconds(15))
                try first.roundTrip()
            }
            try first.add(queue: "q")
            server.crash()
            try server.start()
            #expect(try server.wireClient().resume(first).welcome.lastApplied == 1)
        }
    }
}

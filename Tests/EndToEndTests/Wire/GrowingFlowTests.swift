import PenstockTesting
import PenstockWire
import TestSupport
import Testing

/// Flows that grow while they run: a worker adds to the job that it holds, and puts it off.
@Suite(.inTurns) struct `Growing flows on the wire` {
    /// A worker of both queues that holds the one job of "parents".
    private func worker(
        _ server: TestServer,
        _ options: NodeOptions = .default,
        children: UInt32 = 10
    ) throws -> (WireClient, Delivery) {
        let client = try server.openClient()
        try client.add(queue: "parents", options: options)
        try client.subscribe(["parents"], stream: 1)
        try client.subscribe(["children"], stream: 2, jobs: children)
        return (client, try client.deliveries()[0])
    }

    @Test func `a worker adds children, puts its job off, and runs it again when they have completed`() async throws {
        try await withWireServer { server in
            let (client, parent) = try worker(server)
            #expect(!parent.hasDependencies)
            let ids = try client.addHeld(parent, [.child("a"), .child("b")])
            let children = try client.deliveries(2)
            #expect(children.map(\.job) == ids)
            #expect(try client.move(parent, data: Payload(.json, [5])))
            #expect(try client.job(parent.job).state == .waitingChildren)
            #expect(try client.complete(parent) == .fenced)
            for child in children { #expect(try client.complete(child, result: [1]) == .ok) }
            let again = try client.deliveries()[0]
            #expect(again.job == parent.job && again.hasDependencies)
            #expect(again.attemptsStarted == 2 && again.attemptsMade == 0)
            #expect(again.data == [5] && again.contentType == .json)
            #expect(try client.complete(again) == .ok)
            #expect(try client.job(parent.job).dependencies.processed == 2)
        }
    }

    @Test func `a fan-out that turns out empty goes on`() async throws {
        try await withWireServer { server in
            let (client, parent) = try worker(server)
            try client.add(queue: "parents")
            #expect(try !client.move(parent))
            // The credit is still taken, and the lease is as it was.
            #expect(try client.deliveredNothing())
            #expect(try client.roundTrip().leases == 1)
            #expect(try !client.move(parent))
            #expect(try client.complete(parent) == .ok)
            #expect(try client.complete(client.deliveries()[0]) == .ok)
        }
    }

    @Test func `a lease that went on after a move runs out like any other`() async throws {
        try await withWireServer { server in
            let (client, parent) = try worker(server)
            #expect(try !client.move(parent))
            client.close()
            server.advanceLeases(by: .seconds(31))
            let other = try server.openClient()
            try other.subscribe(["parents"])
            let again = try other.deliveries()[0]
            #expect(again.job == parent.job && again.stalledCount == 1)
        }
    }

    @Test func `a handler that works in steps adds each of them once, whatever happens in between`() async throws {
        try await withWireServer { server in
            var options = NodeOptions()
            options.attempts = 2
            var (client, parent) = try worker(server, options)
            var steps: Set<JobID> = []
            for step in 1...4 as ClosedRange<UInt8> {
                steps.formUnion(try client.addHeld(parent, [.child("step", key: "step \(step)")]))
                if step == 2 {
                    // The attempt fails after it has added its step; the next one gets the stored job.
                    #expect(try client.fail(parent) == .ok)
                } else {
                    #expect(try client.move(parent, data: Payload(.binary, [step])))
                }
                #expect(try client.complete(client.deliveries()[0]) == .ok)
                parent = try client.deliveries()[0]
                if step == 2 {
                    #expect(parent.data == [1] && parent.attemptsMade == 1)
                    steps.formUnion(try client.addHeld(parent, [.child("step", key: "step 2")]))
                    #expect(try !client.move(parent))
                }
            }
            #expect(steps.count == 4)
            #expect(try client.complete(parent) == .ok)
            #expect(try client.counts("children").total == 4)
        }
    }

    @Test func `a job that completes while its children are unresolved has failed this attempt`() async throws {
        try await withWireServer { server in
            var options = NodeOptions()
            options.attempts = 2
            let (client, parent) = try worker(server, options)
            try client.addHeld(parent, [.child()])
            #expect(try client.complete(parent) == .unresolvedDependencies)
            let view = try client.job(parent.job)
            #expect(view.state == .waitingChildren && view.attemptsMade == 1)
            #expect(try client.complete(client.deliveries()[0]) == .ok)
            let again = try client.deliveries()[0]
            #expect(again.attemptsMade == 1)
            #expect(try client.complete(again) == .ok)
        }
    }

    @Test func `with a token that is not the session's own nothing is added and nothing moves`() async throws {
        try await withWireServer { server in
            let (client, parent) = try worker(server)
            let thief = try server.openClient()
            var stale = parent
            stale.token = LeaseToken(parent.token.rawValue + 1)
            for (other, delivery) in [(thief, parent), (client, stale)] {
                #expect(try refusal { try other.addHeld(delivery, [.child()]) } == .fenced)
                #expect(try refusal { try other.complete(delivery, adding: [.single("x")]) } == .fenced)
                #expect(try refusal { _ = try other.move(delivery, to: .delayed, delay: 1) } == .fenced)
            }
            #expect(try client.request(GetQueue(queue: "children"), QueueView.self).get().counts.total == 0)
            #expect(try client.complete(parent) == .ok)
        }
    }

    @Test func `what is refused leaves the lease alone`() async throws {
        try await withWireServer { server in
            let (client, parent) = try worker(server)
            #expect(
                try refusal { try client.addHeld(parent, [.child(key: "k"), .child(key: "k")]) } == .duplicateCustomID
            )
            #expect(try refusal { try client.complete(parent, adding: [.child()]) } == .invalidOption)
            #expect(
                try refusal { try client.complete(parent, adding: [.single("x", after: [JobID(999)])]) }
                    == .unknownDependency
            )
            #expect(
                try refusal { _ = try client.move(parent, to: .delayed, delay: Limits.delayMillisecondsMax + 1) }
                    == .invalidOption
            )
            #expect(try client.complete(parent) == .ok)
            #expect(try client.counts("children").total == 0)
        }
    }

    // MARK: Failures of children

    @Test func `a child that fails its parent while that runs takes the job from its worker`() async throws {
        try await withWireServer { server in
            let (client, parent) = try worker(server)
            let id = try client.addHeld(parent, [.child()])[0]
            #expect(try client.fail(client.deliveries()[0], unrecoverable: true) == .ok)
            let revoked = try client.next(Revoked.self).leases
            #expect(revoked.map(\.token) == [parent.token])
            #expect(revoked.first?.message.contains("\(id)") == true)
            let view = try client.job(parent.job)
            #expect(view.state == .failed && view.cause == .dependency && view.attemptsMade == 1)
            #expect(try client.complete(parent) == .fenced)
            #expect(try refusal { _ = try client.move(parent) } == .fenced)
            #expect(try client.roundTrip().leases == 0)
        }
    }

    @Test(arguments: [FailurePolicy.ignore, .remove, .continue, .wait])
    func `a child that fails otherwise leaves its running parent alone`(policy: FailurePolicy) async throws {
        try await withWireServer { server in
            let (client, parent) = try worker(server)
            try client.addHeld(parent, [.child("bad", policy)])
            #expect(try client.fail(client.deliveries()[0], unrecoverable: true) == .ok)
            #expect(try client.job(parent.job).state == .active)
            let isHeld = policy == .wait
            #expect(try client.move(parent) == isHeld)
            if !isHeld { #expect(try client.complete(parent) == .ok) }
            #expect(try client.job(parent.job).state == (isHeld ? .waitingChildren : .completed))
        }
    }

    @Test(arguments: [FailurePolicy.failParent, .ignore, .remove, .continue, .wait])
    func `a child that fails while its parent waits does what its policy says`(policy: FailurePolicy) async throws {
        try await withWireServer { server in
            let (client, parent) = try worker(server)
            try client.addHeld(parent, [.child("bad", policy), .child("other")])
            let children = try client.deliveries(2)
            #expect(try client.move(parent))
            #expect(try client.fail(children[0], unrecoverable: true) == .ok)
            let states: [FailurePolicy: JobState] = [.failParent: .failed, .continue: .active]
            #expect(try client.job(parent.job).state == states[policy] ?? .waitingChildren)
            #expect(try client.complete(children[1]) == .ok)
            let after: [FailurePolicy: JobState] = [.failParent: .failed, .wait: .waitingChildren]
            #expect(try client.job(parent.job).state == after[policy] ?? .active)
        }
    }

    // MARK: Put off for a while

    @Test func `a job that is put off comes back when its time has come, at its place`() async throws {
        try await withWireServer { server in
            let (client, parent) = try worker(server)
            #expect(try client.move(parent, to: .delayed, delay: 3_600_000, data: Payload(.binary, [8])))
            #expect(try client.job(parent.job).state == .delayed)
            #expect(try client.deliveredNothing())
            server.advance(by: .seconds(3600))
            let again = try client.deliveries()[0]
            #expect(again.job == parent.job && again.data == [8])
            #expect(again.attemptsMade == 0 && again.attemptsStarted == 2)
            #expect(try client.complete(again) == .ok)
        }
    }

    // MARK: Complete and add

    @Test func `a job completes and what follows it is added`() async throws {
        try await withWireServer { server in
            let (client, parent) = try worker(server)
            let ids = try client.complete(
                parent,
                result: Payload(.json, [1]),
                adding: [.single("next", after: [parent.job])]
            )
            #expect(try client.job(parent.job).outcome == .result(.json, [1]))
            let next = try client.deliveries()[0]
            #expect([next.job] == ids && next.hasDependencies)
            #expect(try client.complete(next) == .ok)
            #expect(try client.complete(parent) == .fenced)
            #expect(try client.roundTrip().leases == 0)
            // Its credit came back.
            try client.add(queue: "parents")
            #expect(try client.complete(client.deliveries()[0]) == .ok)
        }
    }

    @Test func `a completion and its add are durable together, or neither is`() async throws {
        try await withWireServer { server in
            var (client, parent) = try worker(server)
            for round in 0..<12 {
                client.send(client.heldAdd(parent, .complete, [.single("next", customID: "next-\(round)")]))
                if round % 3 == 0 { _ = try client.outcome(client.sequence) }
                server.crash()
                try server.start()
                let watcher = try server.openClient()
                let isAdded =
                    try watcher.request(
                        GetJob(job: .custom(queue: "children", id: "next-\(round)")),
                        JobView.self
                    ).refusal == nil
                #expect((try watcher.job(parent.job).state == .completed) == isAdded)
                #expect(isAdded || round % 3 != 0)
                client = try server.openClient()
                try client.add(queue: "parents")
                try client.subscribe(["parents"])
                parent = try client.deliveries()[0]
            }
        }
    }

    // MARK: Restarts and sessions

    @Test(arguments: [true, false])
    func `a worker goes on over a restart between its add and its move`(isCrash: Bool) async throws {
        try await withWireServer { server in
            let (first, parent) = try worker(server)
            let id = try first.addHeld(parent, [.child(key: "k")])[0]
            first.close()
            if isCrash { server.crash() } else { server.stop() }
            try server.start()
            let client = try server.wireClient()
            // The lease was written with the add, young as it was.
            #expect(try client.resume(first, confirmed: 1, holding: [parent.token]).held.fenced.isEmpty)
            #expect(try client.addHeld(parent, [.child(key: "k")]) == [id])
            #expect(try client.move(parent))
            try client.subscribe(["parents", "children"], jobs: 5)
            #expect(try client.complete(client.deliveries()[0]) == .ok)
            let again = try client.deliveries()[0]
            #expect(again.job == parent.job && again.attemptsStarted == 2)
            #expect(try client.complete(again) == .ok)
        }
    }

    @Test func `a worker that is gone after its add leaves a job that waits for its children`() async throws {
        try await withWireServer { server in
            let (first, parent) = try worker(server)
            try first.addHeld(parent, [.child()])
            first.send(Goodbye())
            _ = try first.untilClosed()
            let client = try server.openClient()
            try client.poll { _ in try client.job(parent.job).state == .waitingChildren }
            try client.subscribe(["parents", "children"], jobs: 5)
            #expect(try client.complete(client.deliveries()[0]) == .ok)
            #expect(try client.complete(client.deliveries()[0]) == .ok)
            #expect(try client.job(parent.job).state == .completed)
        }
    }

    @Test func `commands that come in one piece are taken in their order`() async throws {
        try await withWireServer { server in
            let (client, parent) = try worker(server)
            let add = client.heldAdd(parent, .add, [.child()])
            let move = client.moving(parent)
            let late = client.moving(parent)
            client.send(bytes: WireClient.frame(add) + WireClient.frame(move) + WireClient.frame(late))
            #expect(try client.hasMoved(move.sequence))
            #expect(try refusal { _ = try client.hasMoved(late.sequence) } == .fenced)
            #expect(try client.complete(client.deliveries()[0]) == .ok)
            #expect(try client.complete(client.deliveries()[0]) == .ok)
        }
    }

    @Test func `a goodbye behind a move that finds nothing pending gives the job back`() async throws {
        try await withWireServer { server in
            for order in 0..<4 {
                let client = try server.openClient()
                let id = try client.add(queue: "q-\(order)")[0]
                try client.subscribe(["q-\(order)"])
                let delivery = try client.deliveries()[0]
                let command =
                    order == 0
                    ? WireClient.frame(client.heldAdd(delivery, .complete, [.single("x", after: [JobID(999)])]))
                    : WireClient.frame(client.moving(delivery))
                let hold = WireClient.frame(Hold(tokens: [delivery.token]), correlation: 7)
                let release = WireClient.frame(Release(tokens: [delivery.token]), correlation: 8)
                let between = [[], [], release, hold][order]
                client.send(bytes: command + between + WireClient.frame(Goodbye(), correlation: 9))
                _ = try client.untilClosed()
                let other = try server.openClient()
                try other.poll { $0.leases == 0 }
                #expect(try other.job(id).state == .waiting)
                try other.subscribe(["q-\(order)"])
                #expect(try other.complete(other.deliveries()[0]) == .ok)
            }
        }
    }

    @Test func `a job fans out to thousands, and is released by the last of them`() async throws {
        try await withWireServer { server in
            let count = 3_000
            let (client, parent) = try worker(server, children: 1_000)
            let ids = try client.addHeld(parent, (0..<count).map { _ in AddItem.child() })
            #expect(ids.count == count)
            #expect(try client.move(parent))
            var done = 0
            while done < count {
                let children = try client.allDeliveries()
                guard !children.isEmpty else { continue }
                let first = client.newSequence(count: children.count)
                let completions = children.map { Completion(slot: $0.slot, token: $0.token) }
                client.send(
                    bytes: WireClient.frame(Complete(sequence: first, completions: completions), capacity: 1 << 20)
                )
                done += children.count
                _ = try client.outcome(first + UInt64(children.count) - 1)
            }
            let again = try client.deliveries()[0]
            #expect(again.job == parent.job)
            #expect(try client.job(parent.job).dependencies.processed == UInt32(count))
            #expect(try client.complete(again) == .ok)
        }
    }
}

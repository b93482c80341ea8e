import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Effects that are too much for one transaction.
@Suite(.computing) struct SettlementTests {
    let engine: EngineHarness
    init() throws {
        engine = try EngineHarness()
        engine.limits.steps = 3
        engine.limits.sliceSteps = 2
    }

    /// A job, and ten that depend on it.
    private func fan(_ policy: FailurePolicy? = nil, outside: Bool = false) throws -> Added {
        let dependents = (1...10).map { job("\($0)", after: [.node("a", policy)]) }
        guard outside else { return try engine.add(.flow([job("a", queue: "a")] + dependents)) }
        return try engine.add(.single(job("a", queue: "a")), .flow(dependents))
    }

    private func states(_ flow: Added) throws -> Set<JobState> {
        Set(try (1...10).map { try engine.state(flow["\($0)"]) })
    }

    @Test func `a failure of many is carried out in slices, over restarts, and the flow settles until then`() throws {
        let flow = try fan()
        try engine.fail(flow["a"])
        #expect(try engine.flow(flow.flow).status == .settling)
        #expect(engine.result.isSettling && engine.result.finishedFlows.isEmpty)
        var told: [FlowID] = []
        while engine.isSettling {
            try engine.restart()
            #expect(engine.isSettling)
            try engine.carryOn()
            #expect(engine.result.hasCarriedOn && engine.result.finishedJobs.count <= 2)
            told += engine.result.finishedFlows
        }
        #expect(told == [flow.flow])
        #expect(try states(flow) == [.failed])
        #expect(try engine.flow(flow.flow).status == .failed)
        #expect(!engine.result.isSettling)
    }

    @Test func `a flow whose cancel has only come to finished jobs settles already`() throws {
        let flow = try engine.add(.flow((1...8).map { job("\($0)", queue: $0 < 3 ? "a" : "q") }))
        for name in ["1", "2"] { try engine.complete(flow[name]) }
        try engine.cancel(.flow(flow.flow))
        #expect(try engine.state(flow["3"]) == .waiting)
        #expect(try engine.flow(flow.flow).status == .settling)
        #expect(try refusal { try engine.cancel(.flow(flow.flow)) } == .settling)
        while engine.isSettling { try engine.carryOn() }
        #expect(try engine.flow(flow.flow).status == .cancelled)
    }

    @Test func `what is asked of a flow that settles is refused, and changes nothing; workers go on`() throws {
        let flow = try fan()
        let other = try engine.add(.flow([job("x", after: [.job(flow["10"], .ignore)])]))
        try engine.fail(flow["a"])
        for job in [flow["a"], flow["1"], flow["10"]] {
            #expect(try refusal { try engine.cancel(job) } == .settling)
            #expect(try refusal { try engine.cancel(.tree(job)) } == .settling)
            #expect(try refusal { try engine.retry(job) } == .settling)
            #expect(try refusal { try engine.finish(job, .complete(.none)) } == .settling)
        }
        #expect(try refusal { try engine.resolve(flow["1"], flow["a"], to: .ignored) } == .settling)
        #expect(try refusal { try engine.cancel(.flow(flow.flow)) } == .settling)
        #expect(try refusal { try engine.retry(.flow(flow.flow)) } == .settling)
        #expect(try refusal { try engine.retry(.queue("q")) } == .settling)
        // The other flow has not been reached, and its job can't be released yet.
        #expect(try engine.flow(other.flow).status == .running)
        #expect(try engine.state(other["x"]) == .waitingChildren)
        try engine.settle()
        #expect(try engine.state(other["x"]) == .waiting)
        #expect(try engine.retry(.queue("a")) == 1)
        try engine.settle()
        #expect(try states(flow) == [.waitingChildren])
    }

    @Test func `releases of many are carried out in slices, without a mark`() throws {
        let flow = try fan()
        try engine.complete(flow["a"])
        #expect(try engine.flow(flow.flow).status == .running)
        #expect(try engine.flow(flow.flow).counts[.waiting] == UInt32(engine.limits.sliceSteps))
        #expect(try engine.cancel(flow["9"]) == 1)
        try engine.settle()
        #expect(try engine.flow(flow.flow).counts[.waiting] == 9)
        #expect(try engine.state(flow["9"]) == .cancelled)
    }

    @Test(arguments: [true, false])
    func `a retried job that ends again while its dependents are being revived leaves none of them behind`(
        completes: Bool
    ) throws {
        // Alone, so that nothing about it has to wait for the flow.
        let flow = try fan(outside: true)
        try engine.fail(flow["a"])
        try engine.settle()
        try engine.retry(flow["a"])
        #expect(engine.isSettling)
        // Its start comes last, so somebody decides for it.
        try engine.finish(flow["a"], completes ? .complete(.none) : .fail(message: "again", details: []))
        try engine.settle()
        #expect(try states(flow) == [completes ? .waiting : .failed])
        if !completes {
            try engine.retry(flow["a"])
            try engine.settle()
            try engine.complete(flow["a"])
            try engine.settle()
        }
        #expect(try states(flow) == [.waiting])
    }

    @Test func `a retry in the midst of a failure undoes what was done of it`() throws {
        let flow = try fan(outside: true)
        try engine.fail(flow["a"])
        #expect(engine.isSettling)
        try engine.retry(flow["a"])
        try engine.settle()
        #expect(try states(flow) == [.waitingChildren])
        try engine.complete(flow["a"])
        try engine.settle()
        #expect(try states(flow) == [.waiting])
    }

    @Test func `a large flow that was cancelled and is retried gives no job to a worker too early`() throws {
        let flow = try engine.add(
            .flow((0..<20).map { job("\($0)", after: $0 == 0 ? [] : [.index($0 - 1, .ignore)]) })
        )
        #expect(try engine.cancel(.flow(flow.flow)) <= 3)
        try engine.settle()
        #expect(try engine.flow(flow.flow).status == .cancelled)
        try engine.retry(.flow(flow.flow))
        while engine.isSettling {
            #expect(try engine.ready().allSatisfy { $0.job == flow["0"] })
            try engine.carryOn()
        }
        for index in 0..<20 {
            #expect(try engine.ready().map(\.job) == [flow["\(index)"]])
            try engine.complete(flow["\(index)"])
        }
    }

    @Test func `a job that is revived while its flow is being cancelled is cancelled, too`() throws {
        let cause = try engine.add(job("cause", queue: "c"))
        let flow = try engine.add(
            .flow([job("d", after: [.job(cause)])] + (1...10).map { job("\($0)") })
        )
        try engine.fail(cause)
        try engine.cancel(.flow(flow.flow))
        #expect(engine.isSettling)
        try engine.retry(cause)
        // The cause belongs to no flow, and its start comes behind the cancellation.
        try engine.finish(cause, .complete(.none))
        try engine.settle()
        #expect(try engine.state(flow["d"]) == .cancelled)
        #expect(try engine.flow(flow.flow).counts[.cancelled] == 11)
    }

    @Test func `a walk goes on behind a first dependent that was removed`() throws {
        let early = try engine.add(.flow((0..<6).map { job("\($0)", id: "early\($0)") }))
        let cause = try engine.add(job("cause", queue: "c"))
        try engine.add(
            .flow([job("first", after: [.job(cause, .remove)])]),
            .flow((0..<6).map { job("\($0)", after: [.job(cause, .ignore)], id: "early\($0)") })
        )
        try engine.fail(cause)
        try engine.settle()
        #expect(try engine.flow(early.flow).counts[.waiting] == 6)
    }

    @Test func `siblings are left alone once what they were cancelled for is revived`() throws {
        let cause = try engine.add(job("cause", queue: "c"))
        let siblings = (1...10).map { job("\($0)") }
        let flow = try engine.add(
            .flow(
                siblings + [
                    job("d", after: [.job(cause)] + (1...10).map { .node("\($0)", .ignore) }) {
                        $0.cancelSiblings = true
                    }
                ]
            )
        )
        try engine.fail(cause)
        #expect(try engine.flow(flow.flow).counts[.cancelled] > 0)
        try engine.retry(cause)
        try engine.settle()
        #expect(try states(flow) == [.waiting])
        #expect(try engine.state(flow["d"]) == .waitingChildren)
    }

    @Test(arguments: [true, false])
    func `one job fails a hundred thousand in slices of a bounded size, and brings them back`(isSliced: Bool) throws {
        engine.checks = false
        engine.limits = EffectLimits()
        let bad = try engine.add(job("bad", queue: "bad"))
        let adds = isSliced ? 10 : 1
        var flows: [FlowID] = []
        for _ in 0..<adds {
            flows.append(try engine.add(.flow((0..<10_000).map { job("\($0)", after: [.job(bad)]) })).flow)
        }
        try engine.fail(bad)
        #expect(engine.isSettling == isSliced)
        // What is too much from the start begins with a slice.
        #expect(engine.result.finishedJobs.count == 1 + (isSliced ? 512 : 10_000))
        var batches = 0
        while engine.isSettling {
            try engine.carryOn()
            #expect(engine.result.finishedJobs.count <= 512)
            batches += 1
            if batches == 50 { try engine.restart() }
        }
        for flow in flows { #expect(try engine.flow(flow).counts[.failed] == 10_000) }
        try engine.check()
        try engine.retry(bad)
        try engine.settle()
        for flow in flows { #expect(try engine.flow(flow).counts[.waitingChildren] == 10_000) }
        try engine.complete(bad)
        try engine.settle()
        for flow in flows { #expect(try engine.flow(flow).counts[.waiting] == 10_000) }
        try engine.check()
    }
}

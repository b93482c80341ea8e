import PenstockWire
import TestSupport
import Testing

@testable import PenstockServer

/// The deadlines of attempts.
@Suite(.computing) struct AttemptTimeoutTests {
    private func entry(_ deadline: UInt64, _ slot: UInt32 = 0) -> AttemptTimeouts.Entry {
        AttemptTimeouts.Entry(deadline: deadline, token: LeaseToken(epoch: 1, counter: deadline), slot: slot)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `entries come in the order of their time, whatever is dropped and moved between`(seed: UInt64) {
        var random = TestRandom(seed: seed)
        var timeouts = AttemptTimeouts()
        var model: [UInt64] = []
        for _ in 0..<500 {
            let deadline = UInt64(random.below(10_000)) + 1
            timeouts.add(entry(deadline))
            model.append(deadline)
        }
        timeouts.sweep { $0.deadline % 3 != 0 }
        model.removeAll { $0 % 3 == 0 }
        timeouts.shift(by: 7)
        model = model.map { $0 + 7 }.sorted()
        #expect(timeouts.next == model[0])
        #expect(timeouts.takeExpired(now: model[0] - 1) == nil)
        var taken: [UInt64] = []
        while let next = timeouts.takeExpired(now: .max) { taken.append(next.deadline) }
        #expect(taken == model)
        #expect(timeouts.next == .max)
    }

    private func dispatcher(_ source: inout TestSource) -> Dispatcher {
        var dispatcher = Dispatcher(epoch: 1, configuration: Dispatcher.smallWindows)
        _ = dispatcher.subscribe(jobs: 10_000)
        source.timeout = 100
        return dispatcher
    }

    @Test func `an attempt times out from its grant on, once`() {
        var source = TestSource()
        var dispatcher = dispatcher(&source)
        dispatcher.announce(source.add([1]))
        #expect(dispatcher.grantAll(&source) == [1])
        #expect(dispatcher.timeouts.next == 100)
        #expect(dispatcher.takeTimedOut(now: 99) == nil)
        let slot = dispatcher.takeTimedOut(now: 100)
        #expect(slot == source.grants[0].slot)
        #expect(dispatcher.takeTimedOut(now: .max) == nil)
    }

    @Test func `an attempt that has ended does not time out, nor does another one at its slot`() {
        var source = TestSource()
        var dispatcher = dispatcher(&source)
        dispatcher.announce(source.add([1]))
        _ = dispatcher.grantAll(&source)
        dispatcher.complete(source.grants[0], &source)
        source.timeout = 0
        dispatcher.announce(source.add([2]))
        #expect(dispatcher.grantAll(&source) == [2])
        #expect(source.grants[0].slot == 0)
        #expect(dispatcher.takeTimedOut(now: .max) == nil)
    }

    @Test func `an attempt that a command may be ending is looked at again`() {
        var source = TestSource()
        var dispatcher = dispatcher(&source)
        dispatcher.announce(source.add([1]))
        _ = dispatcher.grantAll(&source)
        let grant = source.grants[0]
        _ = dispatcher.suspend(grant.slot, token: grant.token, sessionSlot: grant.sessionSlot)
        #expect(dispatcher.takeTimedOut(now: 100) == nil)
        dispatcher.leases.goOn(grant.slot)
        #expect(dispatcher.takeTimedOut(now: dispatcher.timeouts.next) == grant.slot)
    }

    @Test func `a frozen server moves the end of an attempt`() {
        var source = TestSource()
        var dispatcher = dispatcher(&source)
        dispatcher.announce(source.add([1]))
        _ = dispatcher.grantAll(&source)
        dispatcher.shift(by: 50)
        #expect(dispatcher.takeTimedOut(now: 149) == nil)
        #expect(dispatcher.leases[0].attemptEnd == 150)
        #expect(dispatcher.takeTimedOut(now: 150) == 0)
    }

    @Test func `attempts that end in time leave nothing behind in the long run`() {
        var source = TestSource()
        var dispatcher = dispatcher(&source)
        for job in 1...5000 as ClosedRange<UInt64> {
            dispatcher.announce(source.add([job]))
            _ = dispatcher.grantAll(&source)
            dispatcher.complete(source.grants[0], &source)
        }
        #expect(dispatcher.timeouts.count < 1100)
    }
}

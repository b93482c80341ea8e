import PenstockEngine
import PenstockWire
import TestSupport
import Testing

@testable import PenstockServer

/// When the server looks for finished jobs that may go.
@Suite(.computing) struct RetentionTimesTests {
    private let pause = RetentionTimes.pauseMilliseconds

    private func times() -> RetentionTimes { RetentionTimes(now: 0) }

    /// What a slice has come to.
    private func slice(took: Int = 0, finished: Int = 0, hasMore: Bool, nextRetention: UInt64 = .max) -> BatchResult {
        var result = BatchResult()
        result.hasRetained = true
        result.hasLookedForRetention = true
        result.jobsRetentionTook = took
        result.finishedJobs = (0..<took + finished).map { JobID(UInt64($0)) }
        result.hasMoreToRetain = hasMore
        result.nextRetention = nextRetention
        return result
    }

    /// Jobs have finished, and nobody has looked.
    private func finished() -> BatchResult {
        var result = BatchResult()
        result.finishedJobs = [JobID(1)]
        return result
    }

    /// Asks at the time that is due, and returns it.
    private func ask(_ times: inout RetentionTimes, now: UInt64, isSettling: Bool = false) -> UInt64 {
        let due = times.due(now: now, elapsed: 0, isSettling: isSettling)
        guard due != .max else { return due }
        let isEarly = times.ask(now: due - 1, elapsed: 0, isSettling: isSettling)
        let isAsked = times.ask(now: due, elapsed: 0, isSettling: isSettling)
        #expect(!isEarly && isAsked)
        return due
    }

    @Test func `an idle server looks once, and then when the next job is old enough`() {
        var times = times()
        #expect(ask(&times, now: 0) == pause)
        #expect(times.due(now: pause, elapsed: 0, isSettling: false) == .max, "a slice is under way")
        times.note(slice(took: 3, hasMore: false, nextRetention: 70_000), now: pause)
        #expect(times.due(now: pause, elapsed: 10_000, isSettling: false) == pause + 60_000)
        #expect(times.due(now: pause, elapsed: 70_000, isSettling: false) == pause)
        times.note(slice(hasMore: false), now: pause)
        #expect(times.due(now: pause, elapsed: 70_000, isSettling: false) == .max)
        times.note(finished(), now: 50_000)
        #expect(ask(&times, now: 50_000) == 50_000 + pause)
    }

    @Test func `a job that finishes behind the walk goes without another one`() {
        for isBeside in [false, true] {
            var times = times()
            var now = ask(&times, now: 0)
            times.note(slice(took: 5, finished: isBeside ? 0 : 1, hasMore: true), now: now)
            if isBeside { times.note(finished(), now: now) }
            now = ask(&times, now: now)
            #expect(now < pause + 10)
            times.note(slice(took: 2, hasMore: false), now: now)
            #expect(ask(&times, now: now) == now + pause)
            // That look takes what there is, and is the last one.
            times.note(slice(took: 1, hasMore: false), now: now)
            #expect(times.due(now: now, elapsed: 0, isSettling: false) == .max)
        }
    }

    @Test func `retention goes on soon after a large effect`() {
        var times = times()
        let now = ask(&times, now: 0)
        // The effect was there first.
        times.note(slice(hasMore: true), now: now + 2)
        #expect(ask(&times, now: now + 2, isSettling: true) == .max)
        let settled = now + 60_000
        let isAsked = times.ask(now: settled, elapsed: 0, isSettling: true)
        #expect(!isAsked)
        #expect(times.due(now: settled, elapsed: 0, isSettling: false) <= settled)
        let isAskedThen = times.ask(now: settled, elapsed: 0, isSettling: false)
        #expect(isAskedThen)
        times.note(slice(finished: 1, hasMore: false), now: settled + 1)
        // The time of the effect does not put the next look off.
        #expect(ask(&times, now: settled) == settled + 1 + pause)
    }

    @Test func `a look that only passes jobs by is rare`() {
        var times = times()
        let now = ask(&times, now: 0)
        times.note(slice(finished: 1, hasMore: false), now: now + 1000)
        #expect(ask(&times, now: now + 1000) == now + 1000 + 20_000)
    }
}

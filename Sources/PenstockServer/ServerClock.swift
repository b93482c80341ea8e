import Synchronization
import UV

#if canImport(Glibc)
    import Glibc
#endif

/// The server's three clocks, in milliseconds; a test can push each of them forward, and the wall clock back.
///
/// - *Monotonic* time is the process's: leases, heartbeats and time limits use it.
/// - *Elapsed* time goes on with it, is kept with every commit, and is what
///   delays are counted in: no jump of the wall clock touches it.
/// - *Wall* time is for people, for cron and for jobs with a time of their own: it stands in records, and orders nothing
///   but those.
package final class ServerClock: Sendable {
    private let monotonicOffset = Atomic<UInt64>(0)
    private let elapsedOffset = Atomic<UInt64>(0)
    /// How far the wall clock has been set, beside what elapsed time has moved.
    private let wallOffset = Atomic<UInt64>(0)
    /// What elapsed time was at the start, less the monotonic time and the offset then.
    private let elapsedBase = Atomic<UInt64>(0)

    package init() {}

    package var monotonic: UInt64 {
        Loop.monotonicNanoseconds() / 1_000_000 &+ monotonicOffset.load(ordering: .relaxed)
    }

    package var elapsed: UInt64 {
        Loop.monotonicNanoseconds() / 1_000_000 &+ elapsedBase.load(ordering: .relaxed)
            &+ elapsedOffset.load(ordering: .relaxed)
    }

    package var wall: UInt64 {
        Loop.wallMilliseconds() &+ elapsedOffset.load(ordering: .relaxed) &+ wallOffset.load(ordering: .relaxed)
    }

    /// Lets elapsed time go on from what the database has.
    func start(elapsed: UInt64) {
        let passed = Loop.monotonicNanoseconds() / 1_000_000 &+ elapsedOffset.load(ordering: .relaxed)
        elapsedBase.store(elapsed &- passed, ordering: .relaxed)
    }

    /// Moves elapsed and wall time forward: delays and backoffs become due.
    package func advance(milliseconds: UInt64) {
        elapsedOffset.wrappingAdd(milliseconds, ordering: .relaxed)
    }

    /// Sets the wall clock forward or back, as somebody does who corrects it: nothing else moves.
    package func setWall(forward milliseconds: Int64) {
        wallOffset.wrappingAdd(UInt64(bitPattern: milliseconds), ordering: .relaxed)
    }

    /// Moves monotonic time forward: leases, heartbeats and time limits run out.
    package func advanceMonotonic(milliseconds: UInt64) {
        monotonicOffset.wrappingAdd(milliseconds, ordering: .relaxed)
    }
}

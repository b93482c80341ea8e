import Dispatch
import Synchronization
import TestSupport
import Testing

/// More cases at once than any pool has threads for.
@Suite struct TraitTests {
    private static let cases = 0..<16
    private static let running = Mutex(0)

    /// On the pool itself they would hold all of its threads, and nobody would be left to wake them.
    @Test(.computing, arguments: cases)
    func `tests that block leave Swift's pool to others`(number: Int) {
        let woken = DispatchSemaphore(value: 0)
        Task.detached { woken.signal() }
        #expect(woken.wait(timeout: .now() + 60) == .success)
    }

    @Test(.inTurns, arguments: cases)
    func `no more than a few tests have their turn at once`(number: Int) async {
        let count = Self.running.withLock { running in
            running += 1
            return running
        }
        #expect(count <= 4)
        await Task.yield()
        Self.running.withLock { $0 -= 1 }
    }
}

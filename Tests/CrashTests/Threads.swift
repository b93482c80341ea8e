import Foundation
import Synchronization

/// Work that blocks, on threads of its own: the pool that tests run on has only as many as there are cores.
enum Threads {
    /// Runs `body` on a new thread and waits for it without holding up the pool.
    static func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(with: Swift.Result { try body() })
            }
        }
    }

    static func sleep(milliseconds: Int) { usleep(UInt32(milliseconds) * 1000) }

    static var nanoseconds: UInt64 { DispatchTime.now().uptimeNanoseconds }
}

/// Threads that are started together and waited for together.
final class ThreadGroup: Sendable {
    private let running = Mutex(0)

    func start(_ body: @escaping @Sendable () -> Void) {
        running.withLock { $0 += 1 }
        Thread.detachNewThread { [self] in
            body()
            running.withLock { $0 -= 1 }
        }
    }

    func wait() {
        while running.withLock({ $0 > 0 }) { Threads.sleep(milliseconds: 1) }
    }
}

import Dispatch
import Foundation
import Synchronization

/// Threads beside those of Swift's pool, for tests that compute or block.
///
/// Swift runs all tasks of a process on as many threads as there are cores, in the order in which they became ready,
/// and Swift Testing starts all tests of a process at once. A test that computes for a second holds one of these
/// threads for a second; whoever waits for a socket meanwhile gets its turn, for one step, when all those have had
/// theirs. On threads of their own they share the cores with the pool as the system shares them, by time.
final class ComputingThreads: TaskExecutor {
    static let shared = ComputingThreads(count: ProcessInfo.processInfo.activeProcessorCount)

    private struct Jobs {
        var waiting: [UnownedJob] = []
        var next = 0

        mutating func takeFirst() -> UnownedJob? {
            guard next < waiting.count else { return nil }
            defer {
                next += 1
                if next == waiting.count {
                    waiting.removeAll(keepingCapacity: true)
                    next = 0
                }
            }
            return waiting[next]
        }
    }

    private let jobs = Mutex(Jobs())
    private let wake = DispatchSemaphore(value: 0)

    private init(count: Int) {
        for _ in 0..<count {
            Thread.detachNewThread { [self] in
                while true {
                    wake.wait()
                    guard let job = jobs.withLock({ $0.takeFirst() }) else { continue }
                    unsafe job.runSynchronously(on: asUnownedTaskExecutor())
                }
            }
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.waiting.append(job) }
        wake.signal()
    }
}

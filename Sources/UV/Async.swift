import CLibUV
import Glibc
import Synchronization

/// A wake-up of the loop from another thread.
///
/// Sends that come before the loop gets to them are one wake-up: put what there
/// is to do elsewhere, under a lock, and take all of it. A send costs two
/// atomic additions and, if none is pending, one write to an eventfd.
///
/// An open one must lose its last reference on the loop's thread: close it there
/// when the other threads are done with it, or before.
@safe
public final class Async: Handle,
    // `send()` is all that other threads may call. It reads the handle's pointer while
    // it is counted in `senders`, and `close()` waits for them before it clears the
    // pointer. Everything else checks that it runs on the loop's thread.
    @unchecked Sendable
{
    private static let closed: UInt32 = 1 << 31

    /// The threads that are in `send()`, and the bit `closed`.
    private let senders = Atomic<UInt32>(0)
    private var wake: (() -> Void)?

    /// A wake-up that calls `wake` on the loop's thread.
    public init(on loop: Loop, _ wake: @escaping () -> Void) throws(UVError) {
        self.wake = wake
        try unsafe super.init(on: loop, type: UV_ASYNC) { loop, memory in
            unsafe uv_async_init(loop, memory.assumingMemoryBound(to: uv_async_t.self)) { raw in
                unsafe Handle.owner(of: raw!, as: Async.self)?.wake?()
            }
        }
    }

    /// Wakes the loop. Any thread; no effect once closed.
    public func send() {
        // Late senders don't count, so that `close()` has an end to wait for.
        guard senders.load(ordering: .relaxed) & Async.closed == 0 else { return }
        let others = senders.add(1, ordering: .acquiringAndReleasing).oldValue
        if others & Async.closed == 0, let raw = unsafe raw(as: uv_async_t.self) {
            // Fails only on a handle of another type.
            _ = unsafe uv_async_send(raw)
        }
        senders.subtract(1, ordering: .releasing)
    }

    /// Ends the wake-up: one that was sent but not delivered is lost.
    ///
    /// Waits for threads that are in `send()`: for one system call at most.
    public override func close() {
        loop.preconditionOnThread()
        senders.bitwiseOr(Async.closed, ordering: .acquiringAndReleasing)
        while senders.load(ordering: .acquiring) != Async.closed { sched_yield() }
        super.close()
    }

    override func didClose() {
        wake = nil
    }
}

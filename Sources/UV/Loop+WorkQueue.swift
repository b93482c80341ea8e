import CLibUV

extension Loop {
    /// Runs `work` on libuv's thread pool, then `completion` on the loop's thread.
    ///
    /// For what would stop the loop: a large read from disk. The pool has four
    /// threads (`UV_THREADPOOL_SIZE`) and its queue isn't bounded: bound what you
    /// give it. The loop stays alive until the completion has run. Costs a few
    /// allocations and two thread switches.
    public func queueWork<Value: Sendable>(
        _ work: @escaping @Sendable () -> Value,
        completion: @escaping (Value) -> Void
    ) {
        preconditionUsable()
        let slot = WorkSlot<Value>()
        WorkItem(
            work: { slot.value = work() },
            // The work has run, so the value is there.
            completion: { completion(slot.value!) }
        ).submit(to: self)
    }
}

/// The place of a result, between two threads.
private final class WorkSlot<Value: Sendable>:
    // Written by the pool's thread, then read by the loop's; libuv's queue orders them.
    @unchecked Sendable
{
    var value: Value?
}

/// A request to libuv's thread pool and what it does: not generic, so that C
/// callbacks can find it. It lives from `submit` to the completion.
@safe
private final class WorkItem {
    private let work: @Sendable () -> Void
    private let completion: () -> Void
    @unsafe private let request: UnsafeMutablePointer<uv_work_t>

    init(work: @escaping @Sendable () -> Void, completion: @escaping () -> Void) {
        self.work = work
        self.completion = completion
        unsafe request = .allocate(capacity: 1)
    }

    deinit {
        unsafe request.deallocate()
    }

    func submit(to loop: Loop) {
        unsafe request.pointee.data = Unmanaged.passRetained(self).toOpaque()
        let status = unsafe uv_queue_work(
            loop.raw,
            request,
            { request in
                // Borrowed: the completion holds the reference.
                let item = unsafe Unmanaged<WorkItem>.fromOpaque(request!.pointee.data)
                unsafe item._withUnsafeGuaranteedRef { $0.work() }
            },
            { request, _ in
                let item = unsafe Unmanaged<WorkItem>.fromOpaque(request!.pointee.data).takeRetainedValue()
                item.completion()
            }
        )
        precondition(status == 0, "uv_queue_work fails only without a callback")
    }
}

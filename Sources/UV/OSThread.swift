import CLibUV

/// A thread of the operating system, for work that owns something for as long as it runs.
///
/// It must be joined: a thread that outlives what it uses is a bug.
@safe
public final class OSThread {
    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    @unsafe private var raw = uv_thread_t()
    private var isJoined = false

    /// Starts a thread that calls `run` once.
    ///
    /// - Throws: what the system says where it has no room for another thread.
    public init(_ run: @escaping @Sendable () -> Void) throws(UVError) {
        let body = unsafe Unmanaged.passRetained(Body(run)).toOpaque()
        let status = unsafe uv_thread_create(
            &raw,
            { body in unsafe Unmanaged<Body>.fromOpaque(body!).takeRetainedValue().run() },
            body
        )
        if status != 0 {
            unsafe Unmanaged<Body>.fromOpaque(body).release()
            isJoined = true
            throw UVError(code: status)
        }
    }

    deinit {
        precondition(isJoined, "a thread was dropped without being joined")
    }

    /// Waits until the thread has ended. Idempotent.
    public func join() {
        guard !isJoined else { return }
        isJoined = true
        unsafe uv_thread_join(&raw)
    }
}

extension OSThread {
    /// The number of this process.
    public static var processID: UInt32 { UInt32(uv_os_getpid()) }
}

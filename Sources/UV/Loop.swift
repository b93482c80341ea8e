import CLibUV
import Glibc
import Synchronization

/// An event loop: one thread that waits for many sockets, timers and signals.
///
/// Everything made on a loop belongs to the loop's thread: the one that created
/// it, until another calls `run()`. Calls from elsewhere stop the program, in
/// release too, because libuv would corrupt its lists silently. Only
/// `Async.send()` and `isOnLoopThread` may be used from any thread.
///
///     let loop = try Loop()
///     let timer = Timer(on: loop) { print("a second has gone") }
///     timer.start(afterMilliseconds: 1_000)
///     loop.run()
///     loop.close()
///
/// A loop must be closed before its last reference goes: closing runs callbacks,
/// which a `deinit` must not do.
///
/// The first loop of a process makes it ignore SIGPIPE: libuv 1.44 writes to
/// sockets without `MSG_NOSIGNAL`, and a peer that has gone would end the
/// process instead of the stream.
@safe
public final class Loop {
    /// The bytes that one read can bring.
    static let readBufferBytes = 64 << 10

    @unsafe let raw: UnsafeMutablePointer<uv_loop_t>
    /// The memory that every stream reads into. One is enough: a read and its
    /// callback are one step, and nobody keeps the bytes beyond it.
    @unsafe let readBuffer: UnsafeMutableRawBufferPointer
    @unsafe private let prepare: UnsafeMutablePointer<uv_prepare_t>
    @unsafe private let check: UnsafeMutablePointer<uv_check_t>
    /// Memory for the output of streams, shared as they need it.
    let blocks = BlockPool()
    /// The loop's thread, as `pthread_self()` names it.
    private let thread: Atomic<UInt>

    /// Whether `run()` or `runOnce(wait:)` is on the stack.
    public private(set) var isRunning = false
    /// Whether `close()` has been called.
    public private(set) var isClosed = false

    /// The work of each turn, done just before the loop waits for events.
    ///
    /// The place to hand over what the turn's events have gathered and to flush
    /// the streams. It doesn't keep the loop alive.
    public var beforePoll: (() -> Void)? {
        didSet {
            preconditionOnThread()
            guard !isClosed else { return }
            if beforePoll == nil {
                unsafe uv_prepare_stop(prepare)
            } else {
                unsafe uv_prepare_start(prepare) { handle in
                    unsafe Loop.owner(of: handle!.pointee.loop).beforePoll?()
                }
            }
        }
    }

    /// The work of each turn, done right after the loop has handled its events.
    /// It doesn't keep the loop alive.
    public var afterPoll: (() -> Void)? {
        didSet {
            preconditionOnThread()
            guard !isClosed else { return }
            if afterPoll == nil {
                unsafe uv_check_stop(check)
            } else {
                unsafe uv_check_start(check) { handle in
                    unsafe Loop.owner(of: handle!.pointee.loop).afterPoll?()
                }
            }
        }
    }

    /// A loop with nothing to do, on the calling thread.
    ///
    /// - Throws: `UVError.tooManyFiles`, for one; a loop takes some four file
    ///   descriptors.
    public init() throws(UVError) {
        _ = Loop.ignoreBrokenPipes
        let raw = UnsafeMutablePointer<uv_loop_t>.allocate(capacity: 1)
        let status = unsafe uv_loop_init(raw)
        guard status == 0 else {
            unsafe raw.deallocate()
            throw UVError(code: status)
        }
        unsafe self.raw = unsafe raw
        unsafe readBuffer = .allocate(byteCount: Loop.readBufferBytes, alignment: 16)
        unsafe prepare = .allocate(capacity: 1)
        unsafe check = .allocate(capacity: 1)
        thread = Atomic(Loop.currentThread)
        unsafe raw.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        unsafe uv_prepare_init(raw, prepare)
        unsafe uv_check_init(raw, check)
        // No owner: `Loop.close()` knows them, the walk leaves them alone.
        unsafe prepare.pointee.data = nil
        unsafe check.pointee.data = nil
        unsafe uv_unref(UnsafeMutableRawPointer(prepare).assumingMemoryBound(to: uv_handle_t.self))
        unsafe uv_unref(UnsafeMutableRawPointer(check).assumingMemoryBound(to: uv_handle_t.self))
    }

    deinit {
        precondition(isClosed, "a Loop must be closed before its last reference goes")
    }

    /// Handles events until nothing is active, or until `stop()`.
    ///
    /// The calling thread becomes the loop's thread.
    public func run() {
        turn(UV_RUN_DEFAULT)
    }

    /// Handles the events of one turn; with `wait`, blocks until there are some.
    ///
    /// - Returns: whether anything is still active.
    @discardableResult
    public func runOnce(wait: Bool) -> Bool {
        turn(wait ? UV_RUN_ONCE : UV_RUN_NOWAIT)
    }

    @discardableResult
    private func turn(_ mode: uv_run_mode) -> Bool {
        precondition(!isRunning, "a Loop can't be run from within its own callbacks")
        precondition(!isClosed, "a closed Loop can't be run")
        thread.store(Loop.currentThread, ordering: .relaxed)
        isRunning = true
        defer { isRunning = false }
        return unsafe uv_run(raw, mode) != 0
    }

    /// Makes `run()` return at the end of this turn; without a run going on, the
    /// next one returns at once.
    public func stop() {
        preconditionOnThread()
        unsafe uv_stop(raw)
    }

    /// Closes every handle that is left, runs their last callbacks, and frees
    /// the loop. Idempotent. The calling thread becomes the loop's thread.
    ///
    /// Work that is on the queue is waited for, and its completion is called.
    /// Streams tell their delegates. What those callbacks open is closed as well.
    public func close() {
        precondition(!isRunning, "a Loop can't be closed from within its own callbacks")
        guard !isClosed else { return }
        thread.store(Loop.currentThread, ordering: .relaxed)
        beforePoll = nil
        afterPoll = nil
        closeHooks()
        var status: Int32
        var rounds = 0
        repeat {
            unsafe uv_walk(raw, { handle, _ in unsafe Handle.closeOwner(of: handle!) }, nil)
            turn(UV_RUN_DEFAULT)
            status = unsafe uv_loop_close(raw)
            rounds += 1
        } while status == UV_EBUSY.rawValue && rounds < 100
        precondition(status == 0, "callbacks kept opening handles while their Loop was closed")
        isClosed = true
        unsafe raw.deallocate()
        unsafe readBuffer.deallocate()
        blocks.removeAll()
    }

    private func closeHooks() {
        unsafe uv_close(UnsafeMutableRawPointer(prepare).assumingMemoryBound(to: uv_handle_t.self)) { handle in
            unsafe handle!.deallocate()
        }
        unsafe uv_close(UnsafeMutableRawPointer(check).assumingMemoryBound(to: uv_handle_t.self)) { handle in
            unsafe handle!.deallocate()
        }
    }
}

extension Loop {
    /// The time of the turn in milliseconds, from an arbitrary start. Timers
    /// count from it; read from memory, so it costs nothing.
    public var now: UInt64 {
        preconditionOnThread()
        return unsafe uv_now(raw)
    }

    /// Reads the clock into `now`, for callbacks that took long.
    public func updateTime() {
        preconditionOnThread()
        unsafe uv_update_time(raw)
    }

    /// The monotonic clock in nanoseconds, from an arbitrary start. Any thread.
    public static func monotonicNanoseconds() -> UInt64 {
        uv_hrtime()
    }
}

extension Loop {
    /// Whether the caller is on the loop's thread. Any thread.
    public var isOnLoopThread: Bool {
        thread.load(ordering: .relaxed) == Loop.currentThread
    }

    func preconditionOnThread() {
        precondition(isOnLoopThread, "this must be called on the Loop's thread")
    }

    /// Stops the program if the loop is closed, or the thread isn't its own:
    /// what every new handle asks first.
    func preconditionUsable() {
        preconditionOnThread()
        precondition(!isClosed, "the Loop is closed")
    }

    private static var currentThread: UInt {
        UInt(pthread_self())
    }

    /// The loop that set itself as the owner of libuv's.
    static func owner(of raw: UnsafeMutablePointer<uv_loop_t>) -> Loop {
        unsafe Unmanaged<Loop>.fromOpaque(raw.pointee.data).takeUnretainedValue()
    }

    /// Done once, at the first loop.
    private static let ignoreBrokenPipes: Void = {
        _ = signal(SIGPIPE, SIG_IGN)
    }()
}

extension Loop {
    /// Wall time in milliseconds since 1970.
    public static func wallMilliseconds() -> UInt64 {
        var now = uv_timeval64_t()
        unsafe uv_gettimeofday(&now)
        return UInt64(now.tv_sec) * 1000 + UInt64(now.tv_usec) / 1000
    }

    /// Stops the calling thread for a while. Never on a loop's thread.
    public static func sleep(milliseconds: UInt32) {
        uv_sleep(milliseconds)
    }
}

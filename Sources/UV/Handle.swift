import CLibUV

/// A long-lived thing of a loop: a socket, a timer, a signal, a wake-up.
///
/// It owns the memory of one libuv handle, from its creation to the callback of
/// `uv_close`, which is the only place where libuv allows it to be freed. The
/// owner is found from the handle by `data`, which isn't a reference: an owner
/// that goes without `close()` closes the handle in its `deinit` and clears
/// `data`, so that nothing leaks and a late callback finds nobody.
///
/// Invariant: `memory` is nil if, and only if, `uv_close` was called.
@safe
public class Handle {
    /// The loop that the handle lives on.
    public final let loop: Loop
    @unsafe private final var memory: UnsafeMutableRawPointer?
    private final var isRetained = false

    /// Allocates a handle and lets `initialise` make it libuv's.
    ///
    /// - Throws: what `initialise` returned, if negative; the memory is freed.
    init(
        on loop: Loop,
        type: uv_handle_type,
        _ initialise: (UnsafeMutablePointer<uv_loop_t>, UnsafeMutableRawPointer) -> Int32
    ) throws(UVError) {
        loop.preconditionUsable()
        let memory = UnsafeMutableRawPointer.allocate(byteCount: uv_handle_size(type), alignment: 16)
        let status = unsafe initialise(loop.raw, memory)
        guard status == 0 else {
            unsafe memory.deallocate()
            throw UVError(code: status)
        }
        self.loop = loop
        unsafe self.memory = unsafe memory
        unsafe memory.assumingMemoryBound(to: uv_handle_t.self).pointee.data =
            Unmanaged.passUnretained(self).toOpaque()
    }

    deinit {
        guard let memory = unsafe memory else { return }
        // libuv can't be called from other threads, wherever the last reference went.
        precondition(loop.isOnLoopThread, "an open handle lost its last reference off the Loop's thread")
        let handle = unsafe memory.assumingMemoryBound(to: uv_handle_t.self)
        unsafe handle.pointee.data = nil
        unsafe uv_close(handle) { handle in unsafe UnsafeMutableRawPointer(handle!).deallocate() }
    }

    /// Whether the handle is closed, or closing.
    public final var isClosed: Bool {
        loop.preconditionOnThread()
        return unsafe memory == nil
    }

    /// Whether the handle, while active, makes `Loop.run()` go on. True at first.
    public final var keepsLoopAlive: Bool {
        get {
            loop.preconditionOnThread()
            guard let handle = unsafe raw(as: uv_handle_t.self) else { return false }
            return unsafe uv_has_ref(handle) != 0
        }
        set {
            loop.preconditionOnThread()
            guard let handle = unsafe raw(as: uv_handle_t.self) else { return }
            if newValue { unsafe uv_ref(handle) } else { unsafe uv_unref(handle) }
        }
    }

    /// Ends the handle. Idempotent; no callback of the owner runs from within.
    ///
    /// The object lives until libuv has let go, in a later step of the turn.
    public func close() {
        loop.preconditionOnThread()
        guard let handle = unsafe raw(as: uv_handle_t.self) else { return }
        retainUntilClosed()
        unsafe memory = nil
        unsafe uv_close(handle) { handle in
            let owner = unsafe Unmanaged<Handle>.fromOpaque(handle!.pointee.data).takeRetainedValue()
            unsafe UnsafeMutableRawPointer(handle!).deallocate()
            owner.didClose()
        }
    }

    /// Lets go of what the owner was given. Called once, after `close()`, when
    /// libuv is done with the handle; not called when a `deinit` closed it.
    func didClose() {}

    /// Keeps the object alive until the close callback, whoever else drops it.
    final func retainUntilClosed() {
        guard !isRetained else { return }
        isRetained = true
        unsafe _ = Unmanaged.passRetained(self)
    }

    /// The handle in the view that a libuv function wants; nil once closed.
    final func raw<Raw>(as type: Raw.Type) -> UnsafeMutablePointer<Raw>? {
        unsafe memory?.assumingMemoryBound(to: type)
    }

    /// The owner of a handle. A closing handle may have none.
    ///
    /// The type isn't checked: each callback belongs to the one class that
    /// registered it.
    static func owner<Raw, Owner: Handle>(
        of handle: UnsafeMutablePointer<Raw>,
        as type: Owner.Type
    ) -> Owner? {
        let raw = unsafe UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self)
        guard let data = unsafe raw.pointee.data else { return nil }
        return unsafe Unmanaged<Owner>.fromOpaque(data).takeUnretainedValue()
    }

    /// Closes a handle that `uv_walk` found, through its owner.
    static func closeOwner(of handle: UnsafeMutablePointer<uv_handle_t>) {
        guard unsafe uv_is_closing(handle) == 0 else { return }
        unsafe owner(of: handle, as: Handle.self)?.close()
    }
}

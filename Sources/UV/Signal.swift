import CLibUV
import Glibc

/// A watch on a signal of the process: SIGTERM or SIGINT, for a clean stop.
///
/// The handler runs on the loop's thread as an ordinary callback, so it may do
/// anything. Call `keepsLoopAlive = false` if the loop should end without it.
@safe
public final class Signal: Handle {
    private var handler: (() -> Void)?

    /// A watch that is active from now on.
    ///
    /// The signal is unblocked for this thread: who started the process may have
    /// left it blocked, as programs do that start others from a pool's thread.
    ///
    /// - Throws: `UVError.invalidArgument` for a signal that can't be caught.
    public init(on loop: Loop, signal: Int32, _ handler: @escaping () -> Void) throws(UVError) {
        self.handler = handler
        try unsafe super.init(on: loop, type: UV_SIGNAL) { loop, memory in
            unsafe uv_signal_init(loop, memory.assumingMemoryBound(to: uv_signal_t.self))
        }
        let callback: uv_signal_cb = { raw, _ in
            unsafe Handle.owner(of: raw!, as: Signal.self)?.handler?()
        }
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, signal)
        unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        // Just made, so there; a throw drops the handle, which closes it.
        try unsafe UVError.check(uv_signal_start(raw(as: uv_signal_t.self)!, callback, signal))
    }

    override func didClose() {
        handler = nil
    }
}

import CLibUV

/// An alarm on the loop's clock, in milliseconds.
///
/// Times count from `Loop.now`, the time of the turn: after a callback that took
/// long, call `Loop.updateTime()` first. Starting again replaces the alarm; it
/// allocates nothing.
@safe
public final class Timer: Handle {
    private var fire: (() -> Void)?

    /// A timer that isn't started yet.
    public init(on loop: Loop, _ fire: @escaping () -> Void) {
        self.fire = fire
        do throws(UVError) {
            try unsafe super.init(on: loop, type: UV_TIMER) { loop, memory in
                unsafe uv_timer_init(loop, memory.assumingMemoryBound(to: uv_timer_t.self))
            }
        } catch {
            preconditionFailure("uv_timer_init can't fail: \(error)")
        }
    }

    /// Arms the timer, again if it was: once, or also each `repeatMilliseconds`
    /// after that. No effect on a closed timer.
    public func start(afterMilliseconds delay: UInt64, repeatMilliseconds interval: UInt64 = 0) {
        loop.preconditionOnThread()
        guard let raw = unsafe raw(as: uv_timer_t.self) else { return }
        let callback: uv_timer_cb = { raw in
            unsafe Handle.owner(of: raw!, as: Timer.self)?.fire?()
        }
        // Fails only without a callback, or on a closing handle.
        _ = unsafe uv_timer_start(raw, callback, delay, interval)
    }

    /// Disarms the timer; also from within its own callback.
    public func stop() {
        loop.preconditionOnThread()
        guard let raw = unsafe raw(as: uv_timer_t.self) else { return }
        _ = unsafe uv_timer_stop(raw)
    }

    /// Whether the timer is armed.
    public var isActive: Bool {
        loop.preconditionOnThread()
        guard let raw = unsafe raw(as: uv_handle_t.self) else { return false }
        return unsafe uv_is_active(raw) != 0
    }

    override func didClose() {
        fire = nil
    }
}

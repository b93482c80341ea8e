internal import PenstockWire

/// A delivered job that is not completed yet.
struct HeldLease: BitwiseCopyable {
    var slot: UInt32
    var token: UInt64
    /// The monotonic clock at the delivery, in nanoseconds.
    var deliveredAt: UInt64

    static let none = HeldLease(slot: 0, token: 0, deliveredAt: 0)
}

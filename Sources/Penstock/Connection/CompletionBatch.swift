import NIOCore
import PenstockWire

/// Completions, or failures, on their way into frames: written as they come, one after the other.
///
/// A frame is closed when it is full; the last one stays open until it is taken.
struct CompletionBatch: ~Copyable {
    private let opcode: Opcode
    private var writer = WireWriter(capacity: 4096)
    private var start = 0
    private var count = 0
    private var full: [(ByteBuffer, Int)] = []

    init(_ opcode: Opcode) { self.opcode = opcode }

    var isEmpty: Bool { count == 0 && full.isEmpty }

    mutating func append(_ completion: Completion) {
        begin(bytes: Completion.byteCountMin + completion.result.count)
        writer.u32(completion.slot)
        writer.token(completion.token)
        writer.u8(completion.contentType.rawValue)
        writer.bytes32(completion.result)
    }

    mutating func append(_ failure: Failure) {
        begin(bytes: Failure.byteCountMin + failure.message.utf8.count + failure.details.count)
        writer.u32(failure.slot)
        writer.token(failure.token)
        let unrecoverable = failure.unrecoverable ? Failure.unrecoverableFlag : 0
        writer.u8(unrecoverable | (failure.delay == nil ? 0 : Failure.delayFlag))
        writer.u64(failure.delay ?? 0)
        writer.string16(failure.message)
        writer.bytes32(failure.details)
    }

    private mutating func begin(bytes: Int) {
        if count == Limits.completionsPerFrameMax || (count > 0 && writer.count + bytes > Limits.frameBytesMax) {
            close()
        }
        if count == 0 {
            start = writer.beginFrame(FrameHeader(opcode))
            writer.u64(0)
            writer.u16(0)
        }
        count += 1
    }

    private mutating func close() {
        writer.patch(UInt16(count), at: start + FrameHeader.byteCount + 8)
        writer.endFrame(start)
        full.append((ByteBuffer(frames: writer), count))
        writer.removeAll()
        writer.shrink(to: 64 * 1024)
        count = 0
    }

    /// The frames, and how many commands each of them has; their sequence numbers are still to be written.
    mutating func take() -> [(ByteBuffer, Int)] {
        if count > 0 { close() }
        let frames = full
        full = []
        return frames
    }
}

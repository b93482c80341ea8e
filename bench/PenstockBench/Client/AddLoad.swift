internal import PenstockWire

/// Adds that are sent as fast as a bound on unanswered frames allows: one frame, made once, sent again and again.
struct AddLoad {
    /// The frame, with the session's number still to be filled in.
    private let template: WireWriter
    private(set) var framesLeft: Int
    private let outstandingMax: Int
    /// The clock at the first frame; 0 before.
    private(set) var beganAt: UInt64 = 0

    /// The number stands right behind the header.
    private static let sequenceOffset = FrameHeader.byteCount

    /// - Parameter outstandingMax: frames that may be unanswered at once.
    init(_ items: [AddItem], queues: [String], frames: Int, outstandingMax: Int) {
        var writer = WireWriter(capacity: 4096)
        Add(sequence: 0, queues: queues, items: items).encodeFrame(into: &writer)
        template = writer
        framesLeft = frames
        self.outstandingMax = outstandingMax
    }

    var frameBytes: Int { template.count }

    /// Writes the frames that may go now.
    mutating func write(into writer: inout WireWriter, session: inout SessionNumbers, at now: UInt64) {
        while framesLeft > 0, session.framesInFlight < outstandingMax, session.hasRoom(addBytes: frameBytes) {
            let start = writer.count
            writer.raw(template.span)
            writer.patch(session.take(1, addBytes: frameBytes, at: now), at: start + Self.sequenceOffset)
            framesLeft -= 1
            if beganAt == 0 { beganAt = now }
        }
    }
}

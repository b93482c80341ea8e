/// Finds the frames in a stream of bytes that is cut at any place.
///
/// Whole frames are handed out where they stand in the received bytes, without a
/// copy; only the piece of a frame at the end of a read is kept. Memory grows
/// with the bytes received, never with the length that a frame claims.
package struct FrameSplitter: ~Copyable {
    /// The received beginning of a frame that has not ended yet.
    private var partial: [UInt8] = []
    /// Longest frame that is taken; a client that has not said hello gets less.
    package var frameBytesMax: Int

    package init(frameBytesMax: Int = Limits.frameBytesMax) {
        self.frameBytesMax = frameBytesMax
    }

    /// True while the beginning of a frame has been received, and not its end.
    package var isInsideFrame: Bool { !partial.isEmpty }

    /// Bytes kept of an unfinished frame.
    package var partialBytes: Int { partial.count }

    /// Takes received bytes and calls `body` with each frame that is now whole.
    ///
    /// - Parameter body: gets the header, and the body's bytes for the time of
    ///   the call. It returns false to stop: what follows is dropped, as on a
    ///   connection that is being closed.
    /// - Throws: `frameTooLong` or `badHeader`. The connection can't go on after that.
    package mutating func push(
        _ received: RawSpan,
        _ body: (FrameHeader, RawSpan) throws(WireError) -> Bool
    ) throws(WireError) {
        var start = 0
        // First, what is missing of the frame that the last read left unfinished.
        while !partial.isEmpty {
            let wanted: Int
            if partial.count < FrameHeader.lengthBytes {
                wanted = FrameHeader.lengthBytes
            } else {
                wanted = FrameHeader.lengthBytes + (try frameLength(at: 0, in: partial.rawSpan))
            }
            let taken = min(wanted - partial.count, received.byteCount - start)
            partial.append(copying: received.extracting(start..<start + taken))
            start += taken
            if partial.count < wanted { return }
            if wanted == FrameHeader.lengthBytes { continue }
            var frame: [UInt8] = []
            swap(&frame, &partial)
            guard try deliver(frame.rawSpan, body) else { return }
        }
        // Then the frames that stand whole in what was received.
        while received.byteCount - start >= FrameHeader.lengthBytes {
            let length = FrameHeader.lengthBytes + (try frameLength(at: start, in: received))
            if received.byteCount - start < length { break }
            guard try deliver(received.extracting(start..<start + length), body) else { return }
            start += length
        }
        if start < received.byteCount {
            partial.append(copying: received.extracting(start..<received.byteCount))
        }
    }

    private func frameLength(at offset: Int, in bytes: RawSpan) throws(WireError) -> Int {
        var reader = WireReader(bytes.extracting(offset..<offset + FrameHeader.lengthBytes))
        let length = Int(try reader.u32())
        guard length >= FrameHeader.byteCount - FrameHeader.lengthBytes else {
            throw WireError(.badHeader, "A frame of length \(length) is shorter than its header; 12 is the least.")
        }
        guard length + FrameHeader.lengthBytes <= frameBytesMax else {
            throw WireError(
                .frameTooLong,
                "A frame of \(length + FrameHeader.lengthBytes) bytes is longer than the \(frameBytesMax) allowed here."
            )
        }
        return length
    }

    private func deliver(
        _ frame: RawSpan,
        _ body: (FrameHeader, RawSpan) throws(WireError) -> Bool
    ) throws(WireError) -> Bool {
        var reader = WireReader(frame)
        _ = try reader.u32()
        let header = try FrameHeader(from: &reader)
        return try body(header, frame.extracting(FrameHeader.byteCount..<frame.byteCount))
    }
}

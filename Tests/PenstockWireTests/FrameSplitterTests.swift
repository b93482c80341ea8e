import PenstockWire
import TestSupport
import Testing

@Suite(.computing) struct FrameSplitterTests {
    /// A stream of every valid vector, but for the longest ones.
    static let stream = Vector.valid.map(\.frame).filter { $0.count < 300 }.flatMap { $0 }

    @Test func `every vector comes out the same, cut at every place`() throws {
        for vector in Vector.valid + Vector.broken where vector.frame.count < 5000 {
            let limit = vector.frameBytesMax ?? Limits.frameBytesMax
            let whole = split([vector.frame], limit: limit)
            for place in 0...vector.frame.count {
                let pieces = [Array(vector.frame[..<place]), Array(vector.frame[place...])]
                #expect(split(pieces, limit: limit) == whole, "\(vector), cut at \(place)")
            }
            #expect(split(vector.frame.map { [$0] }, limit: limit) == whole, "\(vector), byte by byte")
        }
    }

    @Test func `a stream of frames comes out the same, cut at every place`() throws {
        let stream = FrameSplitterTests.stream
        let whole = split([stream])
        #expect(whole.frames.count > 80 && whole.error == nil && whole.partial == 0)
        for place in 0...stream.count {
            let cut = split([Array(stream[..<place]), Array(stream[place...])])
            if cut != whole { Issue.record("cut at \(place)") }
        }
        #expect(split(stream.map { [$0] }) == whole)
    }

    @Test(arguments: 1...100 as ClosedRange<UInt64>)
    func `a stream of frames comes out the same, cut at random`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var pieces: [[UInt8]] = []
        var rest = FrameSplitterTests.stream[...]
        while !rest.isEmpty {
            let count = min(rest.count, random.below(random.bool() ? 8 : 400))
            pieces.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        #expect(split(pieces) == split([FrameSplitterTests.stream]))
    }

    @Test func `a frame of just the longest length is taken`() throws {
        var writer = WireWriter()
        let start = writer.beginFrame(FrameHeader(.getServer))
        writer.raw([UInt8](repeating: 0, count: 1024 - FrameHeader.byteCount))
        writer.endFrame(start)
        #expect(split([writer.bytes], limit: 1024).frames.count == 1)
        #expect(split([writer.bytes], limit: 1023).error == .frameTooLong)
    }

    @Test func `memory grows with what was received, not with the length that a frame claims`() throws {
        var splitter = FrameSplitter()
        let claim: [UInt8] = [0, 0, 0x20, 0]
        try splitter.push(claim.rawSpan) { (_, _) throws(WireError) in true }
        #expect(splitter.partialBytes == 4 && splitter.isInsideFrame)
    }

    @Test func `what follows a frame that stops the connection is dropped`() throws {
        var splitter = FrameSplitter()
        let stream = FrameSplitterTests.stream
        var frames = 0
        try splitter.push(stream.rawSpan) { (_, _) throws(WireError) in
            frames += 1
            return false
        }
        #expect(frames == 1 && !splitter.isInsideFrame)
    }

    @Test func `an error of who takes the frames goes through`() {
        let stream = FrameSplitterTests.stream
        let error = #expect(throws: WireError.self) {
            var splitter = FrameSplitter()
            try splitter.push(stream.rawSpan) { (_, _) throws(WireError) in throw WireError(.badSequence, "no") }
        }
        #expect(error?.code == .badSequence)
    }

    @Test func `a header is read as it was written`() throws {
        var header = FrameHeader(.wait, flags: [.reply, .error, .more, .quiet], correlation: 0x0102_0304, stream: .max)
        header.status = 0xfffe
        var writer = WireWriter()
        let start = writer.beginFrame(header)
        writer.endFrame(start)
        let bytes = writer.bytes
        #expect(bytes == [12, 0, 0, 0, 0x47, 0x0f, 0xfe, 0xff, 4, 3, 2, 1, 255, 255, 255, 255])
        var reader = WireReader(bytes.rawSpan)
        _ = try reader.u32()
        #expect(try FrameHeader(from: &reader) == header)
    }

    struct Result: Equatable {
        var frames: [Frame] = []
        var error: ErrorCode?
        var partial = 0
    }

    struct Frame: Equatable {
        var header: FrameHeader
        var body: [UInt8]
    }

    private func split(_ pieces: [[UInt8]], limit: Int = Limits.frameBytesMax) -> Result {
        var splitter = FrameSplitter(frameBytesMax: limit)
        var result = Result()
        do throws(WireError) {
            for piece in pieces {
                try splitter.push(piece.rawSpan) { (header: FrameHeader, body: RawSpan) throws(WireError) in
                    result.frames.append(Frame(header: header, body: [UInt8](copying: body)))
                    return true
                }
            }
            result.partial = splitter.partialBytes
        } catch {
            result.error = error.code
        }
        return result
    }
}

import DequeModule
import PenstockWire

/// The newest events of a queue, of a flow, or of all, in the wire's form: bounded in bytes, the oldest go first.
///
///     chunk 7          chunk 8          chunk 9
///     | 41 43 44 50 |  | 51 52 60 61 |  | 62 70     |      lost: 40, last: 70
///
/// An event's sequence is the server's: a ring has those of its scope, with holes
/// between them. A reader keeps a ``Position``, and is told where the ring has
/// gone on without it.
struct EventRing {
    /// Where a reader stands.
    struct Position {
        fileprivate var chunk: UInt64
        fileprivate var offset: Int
        /// The last event that it has passed.
        fileprivate(set) var sequence: UInt64
    }

    private struct Chunk {
        let first: UInt64
        var last: UInt64
        var bytes: WireWriter
    }

    /// Bytes of a chunk, beyond which the next is begun.
    static let chunkBytes = 32 << 10

    let bytesMax: Int
    private var chunks: Deque<Chunk> = []
    /// The number of the first chunk.
    private var firstNumber: UInt64 = 0
    private(set) var byteCount = 0
    /// All events behind this one are here.
    private(set) var lost: UInt64
    /// The last event that was put in; `lost` before there was any.
    private(set) var last: UInt64

    /// - Parameter sequence: the last event that came before the ring was there.
    init(after sequence: UInt64, bytesMax: Int = Limits.eventBytesMax) {
        lost = sequence
        last = sequence
        self.bytesMax = bytesMax
    }

    // MARK: In

    /// Puts an event in, under the server's number.
    mutating func append(_ event: RawSpan, sequence: UInt64) {
        let isNew = chunks.last.map { $0.bytes.count + event.byteCount > EventRing.chunkBytes } ?? true
        if isNew {
            let capacity = chunks.isEmpty ? 512 : EventRing.chunkBytes
            chunks.append(Chunk(first: sequence, last: sequence, bytes: WireWriter(capacity: capacity)))
        }
        let index = chunks.count - 1
        let start = chunks[index].bytes.count
        chunks[index].bytes.raw(event)
        chunks[index].bytes.patch(sequence, at: start + Event.sequenceOffset)
        chunks[index].last = sequence
        last = sequence
        byteCount += event.byteCount
        while byteCount > bytesMax && chunks.count > 1 { dropFirst() }
    }

    /// Lets the oldest events go.
    mutating func dropFirst() {
        guard let chunk = chunks.popFirst() else { return }
        firstNumber += 1
        byteCount -= chunk.bytes.count
        lost = chunk.last
    }

    /// Lets all events go, and those up to the sequence, which did not come.
    mutating func dropAll(upTo sequence: UInt64) {
        while !chunks.isEmpty { dropFirst() }
        lost = sequence
        last = sequence
    }

    // MARK: Out

    /// Behind the last event.
    var end: Position {
        guard let chunk = chunks.last else { return Position(chunk: firstNumber, offset: 0, sequence: last) }
        return Position(chunk: firstNumber + UInt64(chunks.count) - 1, offset: chunk.bytes.count, sequence: last)
    }

    /// Before the first event that is here, for a reader who knows that it has missed some.
    var start: Position { Position(chunk: firstNumber, offset: 0, sequence: 0) }

    /// Behind the event; nil where some behind it are gone.
    func position(after sequence: UInt64) -> Position? {
        guard sequence >= lost else { return nil }
        guard let index = chunks.lastIndex(where: { $0.first <= sequence }) else {
            return Position(chunk: firstNumber, offset: 0, sequence: sequence)
        }
        let chunk = chunks[index]
        let bytes = chunk.bytes.span
        var position = Position(chunk: firstNumber + UInt64(index), offset: 0, sequence: sequence)
        while position.offset < bytes.byteCount {
            let event = EventBytes(bytes, at: position.offset)
            if event.sequence > sequence { break }
            position.offset += event.byteCount
        }
        return position
    }

    /// True where nothing is left to be read from the position on.
    func isAtEnd(_ position: Position) -> Bool { position.sequence >= last }

    /// Goes on to where the events begin that are here.
    ///
    /// - Returns: the last of those that the reader has missed; 0 where it has missed none.
    func catchUp(_ position: inout Position) -> UInt64 {
        guard position.sequence < lost else {
            if position.chunk < firstNumber { (position.chunk, position.offset) = (firstNumber, 0) }
            return 0
        }
        position = Position(chunk: firstNumber, offset: 0, sequence: lost)
        return lost
    }

    /// Appends the events of the kinds from the position on, and moves it behind what it has looked at.
    ///
    /// - Parameters:
    ///   - position: caught up with the ring.
    ///   - limit: bytes; the last event may go beyond.
    /// - Returns: how many were appended.
    func read(
        _ kinds: EventKinds,
        from position: inout Position,
        bytes limit: Int,
        into writer: inout WireWriter
    ) -> Int {
        let end = writer.count + limit
        var count = 0
        var index = Int(position.chunk - firstNumber)
        while index < chunks.count {
            let chunk = chunks[index]
            let bytes = chunk.bytes.span
            while position.offset < bytes.byteCount {
                if writer.count >= end || count == Int(UInt16.max) { return count }
                let event = EventBytes(bytes, at: position.offset)
                if kinds.contains(event.kinds) {
                    writer.raw(bytes.extracting(position.offset..<position.offset + event.byteCount))
                    count += 1
                }
                position.offset += event.byteCount
                position.sequence = event.sequence
            }
            // The last chunk may grow.
            if index == chunks.count - 1 { return count }
            index += 1
            (position.chunk, position.offset) = (position.chunk + 1, 0)
        }
        return count
    }
}

/// What a ring has to know of an event.
private struct EventBytes {
    let byteCount: Int
    let sequence: UInt64
    let kinds: EventKinds

    /// - Precondition: a whole event begins at the offset; it is of the server's own making.
    init(_ bytes: RawSpan, at offset: Int) {
        var reader = WireReader(bytes.extracting(offset..<bytes.byteCount))
        do throws(WireError) {
            byteCount = 4 + Int(try reader.u32())
            sequence = try reader.u64()
            _ = try reader.u64()
            kinds = EventKinds(rawValue: 1 << UInt32(try reader.u8()))
        } catch {
            preconditionFailure("a ring holds whole events")
        }
    }
}

import PenstockWire

/// The cursors of one query: places to go on from, sealed so that a cursor of another query is refused.
///
///     bits 0...47   the place: an id or a position
///     bits 48...63  a mark of the query; never 0, so that 0 is free for the first page
///
/// The mark tells mistakes, not malice: one of 65,535 foreign cursors goes unnoticed, and shows
/// nothing but a page that was not meant.
struct PageCursor {
    private static let placeBits: UInt64 = 48

    private let mark: UInt64
    private let query: String

    /// - Parameters:
    ///   - query: what is paged, for the message.
    ///   - words: what tells this query from others.
    init(_ query: String, _ opcode: Opcode, _ words: [UInt64]) {
        self.query = query
        var hash = UInt64(opcode.rawValue)
        for word in words {
            var mixer = SplitMix64(seed: hash ^ word)
            hash = mixer.next()
        }
        mark = max(hash >> PageCursor.placeBits, 1) << PageCursor.placeBits
    }

    func seal(_ place: UInt64) -> UInt64 { mark | place }

    /// The place of a cursor that was given out for this query; nil for the first page.
    func open(_ cursor: UInt64) throws(Reads.Failure) -> UInt64? {
        guard cursor != 0 else { return nil }
        guard cursor & ~(1 << PageCursor.placeBits - 1) == mark else { throw refusal(cursor) }
        return cursor & (1 << PageCursor.placeBits - 1)
    }

    func refusal(_ cursor: UInt64) -> Reads.Failure {
        .refused(WireError(.invalidCursor, "The cursor \(cursor) was not given out for \(query)."))
    }
}

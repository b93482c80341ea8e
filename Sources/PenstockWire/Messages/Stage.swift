/// A part of an add that is too large for one frame: nothing of it is seen until the last part has come.
///
///     u64 sequence | u32 add | u8 part (0 first, 1 next, 2 last, 3 abandon) | u32 jobs | u32 items | u64 bytes
///     AddTail (but in part 3)
package struct Stage: WireMessage {
    package static let opcode = Opcode.stage
    package static let isReply = false

    package enum Part: UInt8, Sendable, CaseIterable {
        case first = 0
        case next = 1
        case last = 2
        /// What has been staged is dropped.
        case abandon = 3

        /// What the part allows in the items.
        package var context: AddContext { self == .first ? .firstPart : .laterPart }
    }

    /// What the parts add up to; the same in each of them.
    package struct Totals: Equatable, Sendable {
        package var jobs: UInt32
        package var items: UInt32
        /// Of the tails.
        package var bytes: UInt64

        package init(jobs: UInt32, items: UInt32, bytes: UInt64) {
            self.jobs = jobs
            self.items = items
            self.bytes = bytes
        }

        func validate() throws(WireError) {
            guard jobs > 0, items > 0 else {
                throw WireError(.emptyAdd, "A large add of \(jobs) jobs in \(items) items; it must hold at least one.")
            }
            guard jobs <= Limits.stagedJobsMax, items <= Limits.itemsPerAddMax else {
                throw WireError(
                    .tooManyJobs,
                    "A large add of \(jobs) jobs in \(items) items; \(Limits.stagedJobsMax) in \(Limits.itemsPerAddMax) are allowed."
                )
            }
            guard bytes <= Limits.stagedBytesMax else {
                throw WireError(
                    .payloadTooLarge,
                    "A large add of \(bytes) bytes; at most \(Limits.stagedBytesMax) are allowed."
                )
            }
        }
    }

    /// All but the items, as places in the message.
    package struct Head: Sendable {
        package var sequence: UInt64
        package var add: UInt32
        package var part: Part
        package var totals: Totals
        /// For an ``AddDecoder``, with the part's context. Empty in an ``Part/abandon``.
        package var tail: ByteRange

        package init(_ body: RawSpan) throws(WireError) {
            var reader = WireReader(body)
            try self.init(from: &reader)
            try reader.end("the part")
        }

        init(from reader: inout WireReader) throws(WireError) {
            sequence = try reader.u64()
            add = try reader.u32()
            let part = try reader.u8()
            let jobs = try reader.u32()
            let items = try reader.u32()
            totals = Totals(jobs: jobs, items: items, bytes: try reader.u64())
            guard let part = Part(rawValue: part) else {
                throw WireError(
                    .invalidOption,
                    "\(part) is no part of an add; 0 (first), 1 (next), 2 (last) and 3 (abandon) are."
                )
            }
            self.part = part
            tail = try reader.range(part == .abandon ? 0 : reader.remaining)
            guard add != 0 else { throw WireError(.invalidOption, "The number of a large add can't be 0.") }
            if part != .abandon { try totals.validate() }
        }

        /// The number of the large add that a part is meant for, whatever is wrong with the rest of it; nil where it
        /// can't be read.
        package static func add(in body: RawSpan) -> UInt32? {
            var reader = WireReader(body)
            guard (try? reader.u64()) != nil else { return nil }
            return try? reader.u32()
        }
    }

    package var sequence: UInt64
    /// The client's number of the large add.
    package var add: UInt32
    package var part: Part
    package var totals: Totals
    package var tail: AddTail?

    package init(sequence: UInt64, add: UInt32, part: Part, totals: Totals, tail: AddTail?) {
        self.sequence = sequence
        self.add = add
        self.part = part
        self.totals = totals
        self.tail = tail
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        writer.u32(add)
        writer.u8(part.rawValue)
        writer.u32(totals.jobs)
        writer.u32(totals.items)
        writer.u64(totals.bytes)
        tail?.encode(into: &writer)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let head = try Head(from: &reader)
        sequence = head.sequence
        add = head.add
        part = head.part
        totals = head.totals
        tail = part == .abandon ? nil : try AddTail(reader.bytes.extracting(head.tail), head.part.context)
    }
}

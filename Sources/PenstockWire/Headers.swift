/// What travels with a job for others than its handler: the context of a trace, say.
///
///     u8 count | count x (str8 key | str16 value)
package struct Headers: Equatable, Sendable {
    package struct Entry: Equatable, Sendable {
        package var key: String
        package var value: String

        package init(_ key: String, _ value: String) {
            self.key = key
            self.value = value
        }
    }

    package var entries: [Entry]

    package init(_ entries: [Entry] = []) { self.entries = entries }

    package var isEmpty: Bool { entries.isEmpty }

    package func encode(into writer: inout WireWriter) {
        writer.u8(UInt8(entries.count))
        for entry in entries {
            writer.string8(entry.key)
            writer.string16(entry.value)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        entries = []
        for _ in 0..<(try reader.u8()) {
            let key = try reader.string8("key of a header")
            entries.append(Entry(key, try reader.string16("value of a header")))
        }
    }

    /// Bytes on the wire.
    package var byteCount: Int { entries.reduce(1) { $0 + 3 + $1.key.utf8.count + $1.value.utf8.count } }

    /// Refuses what a job must not have as headers.
    package static func check(_ bytes: RawSpan) throws(WireError) {
        guard bytes.byteCount <= Limits.headersBytesMax else {
            throw WireError(
                .invalidOption,
                "Headers of \(bytes.byteCount) bytes; at most \(Limits.headersBytesMax) are allowed."
            )
        }
        var reader = WireReader(bytes)
        let count = Int(try reader.u8())
        var keys: [ByteRange] = []
        for _ in 0..<count {
            let key = try reader.range8()
            try Names.checkText(bytes.extracting(key), "header's key")
            try Names.checkText(bytes.extracting(try reader.range16()), "header's value")
            guard !key.isEmpty else { throw keyRefusal }
            // One alone, as most jobs have it, is told from no other.
            if count > 1 { keys.append(key) }
        }
        try reader.end("the headers")
        guard count > 0 else {
            throw WireError(.invalidOption, "Headers without an entry; 1 to 255 are allowed.")
        }
        keys.sort { bytes.extracting($0).compare(to: bytes.extracting($1)) < 0 }
        for place in keys.indices.dropFirst() {
            guard !bytes.extracting(keys[place]).isEqual(to: bytes.extracting(keys[place - 1])) else {
                throw keyRefusal
            }
        }
    }

    private static var keyRefusal: WireError {
        WireError(.invalidOption, "A header's key is empty, or stands twice; each stands once.")
    }
}

extension WireWriter {
    /// The headers as an option of a node; nothing where there are none.
    ///
    /// - Returns: how many options that makes.
    package mutating func option(_ headers: Headers) -> UInt8 {
        guard !headers.isEmpty else { return 0 }
        option(OptionTag.headers, UInt16(headers.byteCount))
        headers.encode(into: &self)
        return 1
    }
}

extension RawSpan {
    /// The headers in the range; none where it is empty.
    package func headers(_ range: ByteRange) throws(WireError) -> Headers {
        guard !range.isEmpty else { return Headers() }
        var reader = WireReader(extracting(range))
        return try Headers(from: &reader)
    }
}

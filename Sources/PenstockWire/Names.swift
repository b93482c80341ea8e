/// The rules of the names that clients choose.
package enum Names {
    /// A queue name: 1 to 128 bytes of UTF-8, without ':'.
    package static func checkQueue(_ name: RawSpan) throws(WireError) {
        guard name.byteCount > 0 else {
            throw WireError(
                .invalidQueueName,
                "A queue name is empty; 1 to \(Limits.queueNameBytesMax) bytes are allowed."
            )
        }
        guard name.byteCount <= Limits.queueNameBytesMax else {
            throw WireError(
                .invalidQueueName,
                "A queue name of \(name.byteCount) bytes; 1 to \(Limits.queueNameBytesMax) are allowed."
            )
        }
        guard let text = String(validating: name) else {
            throw WireError(.invalidUTF8, "A queue name is not valid UTF-8.")
        }
        guard !text.utf8.contains(UInt8(ascii: ":")), !text.utf8.contains(0) else {
            throw WireError(.invalidQueueName, "The queue name \(quoted(text)) has a ':' or a NUL, which it must not.")
        }
    }

    /// A job name: 1 to 255 bytes of UTF-8.
    package static func checkJob(_ name: RawSpan) throws(WireError) {
        guard name.byteCount > 0 else {
            throw WireError(.invalidName, "A job name is empty; 1 to 255 bytes are allowed.")
        }
        try checkText(name, "job name")
    }

    /// A flow name: up to 255 bytes of UTF-8, or none.
    package static func checkFlow(_ name: RawSpan) throws(WireError) { try checkText(name, "flow name") }

    /// A custom id: 1 to 255 bytes of UTF-8, without ':', not only digits (those are the server's own ids).
    package static func checkCustomID(_ id: RawSpan) throws(WireError) {
        guard id.byteCount > 0, id.byteCount <= Limits.customIDBytesMax else {
            throw WireError(
                .invalidCustomID,
                "A custom id of \(id.byteCount) bytes; 1 to \(Limits.customIDBytesMax) are allowed."
            )
        }
        guard let text = String(validating: id) else {
            throw WireError(.invalidUTF8, "A custom id is not valid UTF-8.")
        }
        guard !text.utf8.contains(UInt8(ascii: ":")), !text.utf8.contains(0) else {
            throw WireError(.invalidCustomID, "The custom id \(quoted(text)) has a ':' or a NUL, which it must not.")
        }
        guard !text.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) else {
            throw WireError(
                .invalidCustomID,
                "The custom id \(quoted(text)) has only digits: those are the server's ids."
            )
        }
    }

    /// The key of a job that is added at run time: 1 to 255 bytes of UTF-8.
    package static func checkChildKey(_ key: RawSpan) throws(WireError) {
        guard key.byteCount > 0, key.byteCount <= Limits.childKeyBytesMax else {
            throw WireError(
                .invalidOption,
                "A child's key of \(key.byteCount) bytes; 1 to \(Limits.childKeyBytesMax) are allowed."
            )
        }
        try checkText(key, "child's key")
    }

    /// A deduplication id: 1 to 255 bytes of UTF-8.
    package static func checkDeduplication(_ id: RawSpan) throws(WireError) {
        guard id.byteCount > 0, id.byteCount <= Limits.deduplicationIDBytesMax else {
            throw WireError(
                .invalidOption,
                "A deduplication id of \(id.byteCount) bytes; 1 to \(Limits.deduplicationIDBytesMax) are allowed."
            )
        }
        try checkText(id, "deduplication id")
    }

    /// A scheduler's id: 1 to 255 bytes of UTF-8.
    package static func checkScheduler(_ id: RawSpan) throws(WireError) {
        guard id.byteCount > 0, id.byteCount <= Limits.schedulerIDBytesMax else {
            throw WireError(
                .invalidName,
                "A scheduler's id of \(id.byteCount) bytes; 1 to \(Limits.schedulerIDBytesMax) are allowed."
            )
        }
        try checkText(id, "scheduler's id")
    }

    /// A group's name: 1 to 255 bytes of UTF-8.
    package static func checkGroup(_ name: RawSpan) throws(WireError) {
        guard name.byteCount > 0, name.byteCount <= Limits.groupBytesMax else {
            throw WireError(
                .invalidName,
                "A group's name of \(name.byteCount) bytes; 1 to \(Limits.groupBytesMax) are allowed."
            )
        }
        try checkText(name, "group's name")
    }

    static func checkText(_ name: RawSpan, _ what: String) throws(WireError) {
        if isASCII(name) { return }
        guard String(validating: name) != nil else {
            throw WireError(.invalidUTF8, "A \(what) is not valid UTF-8.")
        }
    }

    /// True for plain ASCII, which needs no further look.
    private static func isASCII(_ name: RawSpan) -> Bool {
        for index in 0..<name.byteCount where name[index] >= 0x80 { return false }
        return true
    }

    /// A client's text for a message: quoted, control characters escaped, cut to a bounded length.
    package static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars.prefix(64) {
            let isPlain = scalar != "\"" && scalar != "\\" && scalar.properties.generalCategory != .control
            result += isPlain ? String(scalar) : scalar.escaped(asASCII: true)
        }
        return result + (text.unicodeScalars.count > 64 ? "…\"" : "\"")
    }
}

import PenstockWire

/// The protocol's rules of names and sizes, checked before anything is sent.
enum Checks {
    static func queue(_ name: String) throws(PenstockError) {
        try check(name) { (span) throws(WireError) in try Names.checkQueue(span) }
    }

    static func job(_ name: String) throws(PenstockError) {
        try Checks.name(name, "job name")
        try check(name) { (span) throws(WireError) in try Names.checkJob(span) }
    }

    static func customID(_ id: String) throws(PenstockError) {
        try check(id) { (span) throws(WireError) in try Names.checkCustomID(span) }
    }

    static func deduplication(_ id: String) throws(PenstockError) {
        try check(id) { (span) throws(WireError) in try Names.checkDeduplication(span) }
    }

    static func group(_ name: String) throws(PenstockError) {
        try check(name) { (span) throws(WireError) in try Names.checkGroup(span) }
    }

    /// A name that may be empty.
    static func name(_ name: String, _ what: String) throws(PenstockError) {
        guard name.utf8.count <= Limits.nameBytesMax else {
            throw PenstockError(
                .invalidName,
                "A \(what) of \(name.utf8.count) bytes; at most \(Limits.nameBytesMax) are allowed."
            )
        }
    }

    static func data(_ bytes: [UInt8]) throws(PenstockError) {
        guard bytes.count <= Limits.payloadBytesMax else {
            throw PenstockError(
                .payloadTooLarge,
                "Data of \(bytes.count) bytes; at most \(Limits.payloadBytesMax) are allowed."
            )
        }
    }

    /// Why something is cancelled.
    static func reason(_ reason: String) throws(PenstockError) {
        guard reason.utf8.count <= Limits.reasonBytesMax else {
            throw PenstockError(
                .invalidOption,
                "A reason of \(reason.utf8.count) bytes; at most \(Limits.reasonBytesMax) are allowed."
            )
        }
    }

    static func result(_ bytes: [UInt8]) throws(PenstockError) {
        guard bytes.count <= Limits.payloadBytesMax else {
            throw PenstockError(
                .resultTooLarge,
                "A result of \(bytes.count) bytes; at most \(Limits.payloadBytesMax) are allowed."
            )
        }
    }

    /// Rows of a page that is asked for.
    static func page(_ count: Int) throws(PenstockError) {
        guard count > 0, count <= Limits.pageRowsMax else {
            throw PenstockError(.invalidRequest, "A page of \(count) rows; 1 to \(Limits.pageRowsMax) are allowed.")
        }
    }

    private static func check(
        _ text: String,
        _ rule: (RawSpan) throws(WireError) -> Void
    ) throws(PenstockError) {
        let failure: WireError? = text.withUTF8Span { span in
            do throws(WireError) {
                try rule(span)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw PenstockError(failure) }
    }
}

extension String {
    /// The longest beginning, in whole characters, of at most `bytes` bytes of UTF-8.
    func cut(toBytes bytes: Int) -> String {
        if utf8.count <= bytes { return self }
        var result = ""
        var count = 0
        for scalar in unicodeScalars {
            count += UTF8.width(scalar)
            if count > bytes { break }
            result.unicodeScalars.append(scalar)
        }
        return result
    }
}

// What the commands check of their fields beyond the layout.

extension WireError {
    /// Refuses a flag that would mean nothing here: who sets it wants something that would not be done.
    static func checkFlags(_ flags: UInt8, allowed: UInt8, _ what: StaticString) throws(WireError) {
        guard flags & ~allowed == 0 else {
            throw WireError(.invalidOption, "Flags of \(flags) in \(what); only those of \(allowed) are allowed.")
        }
    }
}

extension Limits {
    static func checkResult(_ count: UInt32) throws(WireError) {
        guard Int(count) <= payloadBytesMax else {
            throw WireError(.resultTooLarge, "A result of \(count) bytes; at most \(payloadBytesMax) are allowed.")
        }
    }

    /// Data that a command may give anew; where it gives none, its place is empty.
    static func checkData(_ count: UInt32, isGiven: Bool, _ contentType: ContentType) throws(WireError) {
        guard isGiven || count == 0 && contentType == .none else {
            throw WireError(.invalidOption, "Data stands in a command whose flags say that none is given.")
        }
        guard Int(count) <= payloadBytesMax else {
            throw WireError(.payloadTooLarge, "Data of \(count) bytes; at most \(payloadBytesMax) are allowed.")
        }
    }

    static func checkFailure(message: Int, details: Int) throws(WireError) {
        guard message <= failureMessageBytesMax, details <= failureDetailsBytesMax else {
            throw WireError(
                .failureTooLarge,
                "A failure of \(message) and \(details) bytes; \(failureMessageBytesMax) of message and \(failureDetailsBytesMax) of details are allowed."
            )
        }
    }
}

extension RawSpan {
    /// The queue's name in the range, checked.
    func queueName(_ range: ByteRange) throws(WireError) -> String {
        try Names.checkQueue(extracting(range))
        return try string(range, "queue name")
    }
}

import PenstockWire

// What a handler tells of its job while it runs.

extension Job {
    /// Tells how far the job is: anybody can read it in ``JobInfo/progress``.
    ///
    /// - Parameter progress: a number, a text, a value of your own; encoded, at most 16 KiB.
    /// - Throws: ``PenstockError``; its code is `payloadTooLarge` for more than that, and `fenced` where the job's lease
    ///   has been lost: nothing is stored then.
    public func updateProgress<Progress: Encodable & Sendable>(_ progress: Progress) async throws(PenstockError) {
        try await lease.report(progress: try PayloadCoder.encode(progress), client)
    }

    /// Writes to the job's log, which ``JobHandle/logs(after:count:)`` reads.
    ///
    /// The log keeps its newest lines: ``JobOptions/keepLogs`` of them, and 1 MiB at most.
    ///
    /// More than 256 lines are written by several commands, one after the other: where one of them fails, those before
    /// it are written.
    ///
    /// - Parameter lines: each at most 4,096 bytes of UTF-8; what is longer is cut.
    /// - Throws: ``PenstockError``; its code is `fenced` where the job's lease has been lost.
    public func log(_ lines: String...) async throws(PenstockError) { try await log(lines) }

    /// Writes lines to the job's log. See ``log(_:)-(String...)``.
    public func log(_ lines: [String]) async throws(PenstockError) {
        var rest = lines[...]
        while !rest.isEmpty {
            let part = rest.prefix(Limits.logLinesPerReportMax)
            rest = rest.dropFirst(part.count)
            try await lease.report(lines: part.map { $0.cut(toBytes: Limits.logLineBytesMax) }, client)
        }
    }

    /// Changes the job's data: this handler keeps what it was given, and a later attempt gets the new.
    ///
    /// - Parameter data: encoded, at most 1 MiB.
    /// - Throws: ``PenstockError``; its code is `payloadTooLarge` for more than that, and `fenced` where the job's lease
    ///   has been lost: nothing is stored then.
    public func update<NewData: Encodable & Sendable>(data: NewData) async throws(PenstockError) {
        try await lease.report(data: try PayloadCoder.encode(data), client)
    }
}

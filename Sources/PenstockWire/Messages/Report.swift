/// What a worker tells of the job that it holds: how far it is, lines for its log, other data. The job goes on running.
///
///     u64 sequence | u32 slot | u64 token | u8 flags (1 progress is given, 2 data is given)
///     u8 progressType | bytes32 progress | u8 contentType | bytes32 data | u16 lines | lines x str16
package struct Report: WireMessage {
    package static let opcode = Opcode.report
    package static let isReply = false
    package static let progressFlag: UInt8 = 1
    package static let dataFlag: UInt8 = 2

    /// The report, with its bytes as places in the message.
    package struct Head: Sendable {
        package var sequence: UInt64
        package var slot: UInt32
        package var token: LeaseToken
        package var hasProgress: Bool
        package var progressType: ContentType
        package var progress: ByteRange
        package var hasData: Bool
        package var contentType: ContentType
        package var data: ByteRange
        package var lineCount: Int
        /// The lines, one after the other.
        package var lines: ByteRange

        package init(_ body: RawSpan) throws(WireError) {
            var reader = WireReader(body)
            try self.init(from: &reader)
            try reader.end("the report")
        }

        init(from reader: inout WireReader) throws(WireError) {
            sequence = try reader.u64()
            slot = try reader.u32()
            token = try reader.token()
            let flags = try reader.u8()
            progressType = ContentType(rawValue: try reader.u8())
            progress = try reader.range32()
            contentType = ContentType(rawValue: try reader.u8())
            data = try reader.range32()
            lineCount = try reader.count16(bytesEach: 2)
            let start = reader.offset
            var lineBytesMax = 0
            for _ in 0..<lineCount {
                let line = try reader.range16()
                lineBytesMax = max(lineBytesMax, Int(line.count))
                guard String(validating: reader.bytes.extracting(line)) != nil else {
                    throw WireError(.invalidUTF8, "A line of the log is not valid UTF-8.")
                }
            }
            lines = ByteRange(offset: start, count: reader.offset - start)
            hasProgress = flags & Report.progressFlag != 0
            hasData = flags & Report.dataFlag != 0
            try WireError.checkFlags(flags, allowed: Report.progressFlag | Report.dataFlag, "a report")
            try Limits.checkData(data.count, isGiven: hasData, contentType)
            try check(lineBytesMax)
        }

        private func check(_ lineBytesMax: Int) throws(WireError) {
            guard hasProgress || hasData || lineCount > 0 else {
                throw WireError(.invalidOption, "A report of nothing; it has progress, data or lines.")
            }
            guard hasProgress || progress.isEmpty && progressType == .none else {
                throw WireError(.invalidOption, "Progress stands in a report whose flags say that none is given.")
            }
            guard Int(progress.count) <= Limits.progressBytesMax else {
                throw WireError(
                    .payloadTooLarge,
                    "Progress of \(progress.count) bytes; at most \(Limits.progressBytesMax) are allowed."
                )
            }
            guard lineCount <= Limits.logLinesPerReportMax else {
                throw WireError(
                    .invalidOption,
                    "\(lineCount) lines in one report; at most \(Limits.logLinesPerReportMax) are allowed."
                )
            }
            guard lineBytesMax <= Limits.logLineBytesMax else {
                throw WireError(
                    .payloadTooLarge,
                    "A line of \(lineBytesMax) bytes; at most \(Limits.logLineBytesMax) are allowed."
                )
            }
        }
    }

    package var sequence: UInt64
    package var slot: UInt32
    package var token: LeaseToken
    /// Nil: as it was.
    package var progress: Payload?
    /// What the job's data is from now on; nil: as it was.
    package var data: Payload?
    package var lines: [String]

    package init(
        sequence: UInt64,
        slot: UInt32,
        token: LeaseToken,
        progress: Payload? = nil,
        data: Payload? = nil,
        lines: [String] = []
    ) {
        self.sequence = sequence
        self.slot = slot
        self.token = token
        self.progress = progress
        self.data = data
        self.lines = lines
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        writer.u32(slot)
        writer.token(token)
        writer.u8((progress == nil ? 0 : Report.progressFlag) | (data == nil ? 0 : Report.dataFlag))
        writer.payload(progress ?? .none)
        writer.payload(data ?? .none)
        writer.u16(UInt16(lines.count))
        for line in lines { writer.string16(line) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let head = try Head(from: &reader)
        sequence = head.sequence
        slot = head.slot
        token = head.token
        progress = head.hasProgress ? Payload(head.progressType, reader.array(head.progress)) : nil
        data = head.hasData ? Payload(head.contentType, reader.array(head.data)) : nil
        lines = []
        var rest = WireReader(reader.bytes.extracting(head.lines))
        for _ in 0..<head.lineCount { lines.append(try rest.string16("line of a log")) }
    }
}

/// The bounds of the protocol, named once for server, client and documentation.
///
/// The server sends those that a client has to respect in its ``Welcome``; a
/// client uses the received ones, so that a later server may move them.
package enum Limits {
    /// Bytes of a whole frame, its length field included: 2 MiB and 64 KiB, so that a
    /// job's largest data and its largest result fit one reply, with all that stands around them.
    package static let frameBytesMax = 2 * payloadBytesMax + 64 * 1024
    /// Bytes of one job's data, or of one result: 1 MiB.
    package static let payloadBytesMax = 1024 * 1024
    /// Bytes of a queue name in UTF-8; at least one, and no `:`.
    package static let queueNameBytesMax = 128
    /// Bytes of a job name, a flow name, a worker name or a client name in UTF-8.
    package static let nameBytesMax = 255
    /// Bytes of a custom id in UTF-8; at least one, no `:`, not only digits.
    package static let customIDBytesMax = 255
    /// Bytes of a deduplication id in UTF-8; at least one.
    package static let deduplicationIDBytesMax = 255
    /// Bytes of a failure's message in UTF-8. A longer one is refused, not cut: the SDK cuts before it sends.
    package static let failureMessageBytesMax = 4096
    /// Bytes of a failure's details (a stack trace, say).
    package static let failureDetailsBytesMax = 16 * 1024
    /// Bytes of an error's message in UTF-8; a longer one is cut.
    package static let errorMessageBytesMax = 4096
    /// Jobs of one add, over all its flows.
    package static let jobsPerAddMax = 10_000
    /// Flows and single jobs of one add.
    package static let itemsPerAddMax = jobsPerAddMax
    /// Dependencies that one node can name in one add.
    package static let dependenciesPerNodeMax = jobsPerAddMax
    /// Queues that one add or one subscription can name.
    package static let queuesPerMessageMax = 1024
    /// Completions or failures in one frame.
    package static let completionsPerFrameMax = 4096
    /// Frames with durable commands that a session may have unanswered.
    package static let framesInFlightMax = 1024
    /// Bytes of frames with adds that a session may have unanswered: the add window.
    package static let addWindowBytes = 4 * 1024 * 1024
    /// Rows of one page of a reply.
    package static let pageRowsMax = 1000
    /// Bytes of all pages of a reply: they end with the row that reaches them.
    package static let pageBytesMax = 1024 * 1024
    /// Job credits that one subscription can hold.
    package static let creditJobsMax = 65_536
    /// Byte credits that one subscription can hold: 64 MiB.
    package static let creditBytesMax = 64 * 1024 * 1024
    /// Subscriptions of one connection.
    package static let streamsPerConnectionMax = 256
    /// Jobs of one worker that the list of workers names.
    package static let workerJobsMax = 100
    /// Priority of the least urgent job.
    package static let priorityMax: UInt32 = (1 << 21) - 1
    /// Attempts that a job can be given.
    package static let attemptsMax: UInt16 = 65_535
    /// Longest delay or backoff, in milliseconds: ten years.
    package static let delayMillisecondsMax: UInt64 = 10 * 365 * 86_400_000
    /// Shortest and longest lease, in milliseconds.
    package static let lockDurationMillisecondsMin: UInt32 = 1000
    package static let lockDurationMillisecondsMax: UInt32 = 24 * 3_600_000
    /// Lease where the subscription names none.
    package static let lockDurationMillisecondsDefault: UInt32 = 30_000
    /// Longest interval between two heartbeats, in milliseconds.
    package static let heartbeatMillisecondsMax: UInt32 = 10_000
    /// Bytes of the first frame of a connection, before the server knows who it is.
    package static let helloBytesMax = 1024
    /// Bytes of a flow's metadata.
    package static let metadataBytesMax = 4096
    /// Bytes of a reason that a cancel gives, in UTF-8.
    package static let reasonBytesMax = 1024
    /// Bytes of the key of a job that was added at run time, in UTF-8; at least one.
    package static let childKeyBytesMax = 255
    /// Edges between the root of a tree that is read and its deepest row.
    package static let treeDepthMax = 1000
    /// Occurrences of a scheduler that one request asks for; at least one.
    package static let nextRunsMax = 100
    /// Schedulers that a server takes.
    package static let schedulersMax = 100_000
    /// Bytes of a scheduler's id in UTF-8; at least one.
    package static let schedulerIDBytesMax = 255
    /// Bytes of a group's name in UTF-8; at least one.
    package static let groupBytesMax = 255
    /// Bytes of a cron expression.
    package static let cronBytesMax = 255
    /// Bytes of a time zone's name.
    package static let zoneBytesMax = 64
    /// The last wall time that a schedule can name, in milliseconds since 1970: the end of the year 9999.
    package static let wallMillisecondsMax: UInt64 = 253_402_300_799_999
    /// Jobs of a large add, over all its parts.
    package static let stagedJobsMax = 1_000_000
    /// Bytes of a large add, over all its parts: 1 GiB.
    package static let stagedBytesMax: UInt64 = 1024 * 1024 * 1024
    /// Dependencies of a large add on jobs that are stored: they are linked in one transaction.
    package static let stagedOutsideMax = 20_000
    /// Nodes of a large add that stand for stored jobs: its outcome lists them, and has to fit a frame.
    package static let stagedExistingMax = 100_000
    /// Longest time that a request waits for a flow on which a large effect is being carried out, in milliseconds.
    package static let settlingMillisecondsMax: UInt32 = 5000
    /// Longest time that a WAIT may ask for, in milliseconds.
    package static let waitMillisecondsMax: UInt32 = 24 * 3_600_000
    /// Bytes of a job's progress.
    package static let progressBytesMax = 16 * 1024
    /// Bytes of a line of a job's log, in UTF-8.
    package static let logLineBytesMax = 4096
    /// Lines of one report.
    package static let logLinesPerReportMax = 256
    /// Bytes of a job's log: beyond it the oldest lines go.
    package static let logBytesMax = 1024 * 1024
    /// Attempts of a job that are kept: the newest.
    package static let attemptsKeptMax: UInt32 = 100
    /// Bytes of an attempt's failure message that are kept.
    package static let attemptMessageBytesMax = 1024
    /// Bytes of a job's headers as the wire has them.
    package static let headersBytesMax = 8 * 1024
    /// Lines of a job's log that it can be asked to keep, and that are kept where it is not asked.
    package static let keepLogsMax: UInt32 = 10_000
    package static let keepLogsDefault: UInt32 = 1000
    /// Bytes of a message that an event carries.
    package static let eventMessageBytesMax = 1024
    /// Bytes of the events that are kept of a queue, of a flow, or of all: beyond it the oldest go.
    package static let eventBytesMax = 8 * 1024 * 1024
    /// Bytes of all events that a server keeps.
    package static let eventBytesOfServerMax = 128 * 1024 * 1024
    /// Queues and flows of which a server keeps events.
    package static let eventScopesMax = 10_000
    /// How long events are kept after the last listener has gone, in milliseconds.
    package static let eventKeptMilliseconds: UInt64 = 600_000
    /// Tokens in one HOLD or RELEASE frame.
    package static let tokensPerFrameMax = 100_000
}

extension PenstockError.Code {
    /// A frame above the limit of the protocol.
    public static let frameTooLong = Self(rawValue: 100)
    /// A frame that begins with what no frame begins with.
    public static let badHeader = Self(rawValue: 101)
    /// A message that can't be read.
    public static let malformed = Self(rawValue: 102)
    /// A connection that did not begin with a hello.
    public static let helloExpected = Self(rawValue: 103)
    /// The first frame is of another protocol; is the address that of a Penstock server?
    public static let badMagic = Self(rawValue: 104)
    /// The client and the server know no common version of the protocol.
    public static let unsupportedVersion = Self(rawValue: 105)
    /// A command with a number that is not the next one.
    public static let badSequence = Self(rawValue: 106)
    /// Nothing came from the other side in time. The client connects again by itself.
    public static let heartbeatMissed = Self(rawValue: 107)
    /// The client did not read what it was sent. It connects again by itself.
    public static let outputOverflow = Self(rawValue: 108)
    /// Another connection has resumed the session.
    public static let sessionTakenOver = Self(rawValue: 109)
    /// More frames without an answer than the server allows.
    public static let tooManyInFlight = Self(rawValue: 110)
    /// More bytes of adds without an answer than the server allows.
    public static let addWindowExceeded = Self(rawValue: 111)
    /// The server has as many connections as it may. The client tries again by itself.
    public static let tooManyConnections = Self(rawValue: 112)
    /// A connection without a hello. The client connects again by itself.
    public static let helloTimeout = Self(rawValue: 113)
    /// A request that this version of the server does not know.
    public static let unknownOpcode = Self(rawValue: 200)
    /// An option that this version of the server does not know.
    public static let unknownOption = Self(rawValue: 201)
    /// Text that is not UTF-8.
    public static let invalidUTF8 = Self(rawValue: 202)
    /// A queue name that is empty, longer than 128 bytes, or has a ':'.
    public static let invalidQueueName = Self(rawValue: 203)
    /// A name that is empty or longer than 255 bytes.
    public static let invalidName = Self(rawValue: 204)
    /// A custom id that is empty, longer than 255 bytes, has a ':', or has only digits.
    public static let invalidCustomID = Self(rawValue: 205)
    /// Data of more than 1 MiB.
    public static let payloadTooLarge = Self(rawValue: 206)
    /// A result of more than 1 MiB.
    public static let resultTooLarge = Self(rawValue: 207)
    /// An option out of its range.
    public static let invalidOption = Self(rawValue: 208)
    /// On the wire, a job that depends on one that comes later.
    public static let forwardReference = Self(rawValue: 209)
    /// A job that depends on itself.
    public static let selfReference = Self(rawValue: 210)
    /// A dependency that does not exist.
    public static let unknownDependency = Self(rawValue: 211)
    /// Two jobs of one add have the same custom id.
    public static let duplicateCustomID = Self(rawValue: 212)
    /// More jobs in one add than there may be.
    public static let tooManyJobs = Self(rawValue: 213)
    /// An add, or a flow, without a job.
    public static let emptyAdd = Self(rawValue: 214)
    /// No subscription has this number.
    public static let unknownStream = Self(rawValue: 215)
    /// Another subscription has this number.
    public static let streamInUse = Self(rawValue: 216)
    /// Dependencies form a cycle; the message names the jobs along it.
    public static let cycle = Self(rawValue: 217)
    /// A job that names the same dependency twice.
    public static let duplicateDependency = Self(rawValue: 218)
    /// A cursor that no page gave; begin again without one.
    public static let invalidCursor = Self(rawValue: 219)
    /// Anything else that a request must not be; the message says what.
    public static let invalidRequest = Self(rawValue: 220)
    /// A failure whose message has more than 4,096 bytes, or whose details have more than 16 KiB.
    public static let failureTooLarge = Self(rawValue: 221)
    /// A job that names more than 10,000 dependencies.
    public static let tooManyDependencies = Self(rawValue: 222)
    /// A schedule that can't be read, or that would never run.
    public static let invalidSchedule = Self(rawValue: 223)
    /// A removal or a cancellation that would have to look at too many jobs.
    public static let effectTooLarge = Self(rawValue: 224)
    /// No such job: it never was, or retention has taken it.
    public static let jobNotFound = Self(rawValue: 300)
    /// No such flow.
    public static let flowNotFound = Self(rawValue: 301)
    /// The server does not know the session any more. The client begins another one by itself.
    public static let sessionUnknown = Self(rawValue: 302)
    /// No such queue.
    public static let queueNotFound = Self(rawValue: 303)
    /// The one job does not depend on the other.
    public static let edgeNotFound = Self(rawValue: 304)
    /// No such scheduler.
    public static let schedulerNotFound = Self(rawValue: 305)
    /// There is no such group: none of its jobs waits or runs, and it has no bound of its own.
    public static let groupNotFound = Self(rawValue: 306)
    /// The lease of the job was lost.
    public static let fenced = Self(rawValue: 400)
    /// The custom id is taken, and the options said to reject that.
    public static let customIDExists = Self(rawValue: 401)
    /// New dependencies for a stored job that has already begun or ended.
    public static let dependentNotOpen = Self(rawValue: 402)
    /// Whether a new dependency on a stored job closes a cycle takes too long to find out.
    public static let cycleSearchTooLarge = Self(rawValue: 403)
    /// A retry of a job that has neither failed nor been cancelled.
    public static let notRetryable = Self(rawValue: 404)
    /// The job has finished already.
    public static let alreadyFinished = Self(rawValue: 405)
    /// A completed job can't run again, because a job that depends on it has started.
    public static let dependentStarted = Self(rawValue: 406)
    /// A worker holds the job; the message names it.
    public static let jobLeased = Self(rawValue: 407)
    /// The job was completed while dependencies that it had been given were unfinished: the attempt has failed.
    public static let unresolvedDependencies = Self(rawValue: 408)
    /// A part of a large add out of its turn.
    public static let stageMismatch = Self(rawValue: 409)
    /// The job is in a state in which that can't be done.
    public static let wrongState = Self(rawValue: 410)
    /// Prefetch, and a rate or a concurrency of the same queue: only one of the two can be.
    public static let prefetchLimited = Self(rawValue: 411)
    /// The server has no room for more jobs.
    public static let full = Self(rawValue: 500)
    /// The server is about to stop.
    public static let draining = Self(rawValue: 501)
    /// No answer within the time given.
    public static let timedOut = Self(rawValue: 502)
    /// Something that reaches very many jobs of the flow is still being carried out.
    public static let settling = Self(rawValue: 503)
    /// The custom id belongs to a large add that has not arrived whole yet.
    public static let customIDBusy = Self(rawValue: 504)
    /// The queue has as many unfinished jobs as it may.
    public static let queueFull = Self(rawValue: 505)
    /// A fault of the server's; its log says more.
    public static let internalError = Self(rawValue: 600)
    /// The connection, or the session, was lost after the request had been sent: it may have been carried out, or not.
    public static let outcomeUnknown = Self(rawValue: 601)

    // The client's own.
    /// A value that could not be encoded.
    public static let encodingFailed = Self(rawValue: 1000)
    /// Stored bytes that are not what was asked for.
    public static let decodingFailed = Self(rawValue: 1001)
    /// The client has been shut down, or was before the request was sent.
    public static let shutDown = Self(rawValue: 1002)
    /// The task that waited for the answer was cancelled. An add that had been sent may have been carried out.
    public static let cancelled = Self(rawValue: 1003)
    /// An add that takes more bytes than it may: 1 GiB, and 2 MiB for what a handler adds to its job.
    public static let addTooLarge = Self(rawValue: 1004)
    /// `dependsOn` names an id that no node of the flow has.
    public static let unknownLocalID = Self(rawValue: 1005)
    /// Two nodes of a flow with the same id.
    public static let duplicateLocalID = Self(rawValue: 1006)
    /// `run()` was called twice.
    public static let alreadyRunning = Self(rawValue: 1007)
    /// A request that belongs to one connection, which was lost.
    public static let connectionLost = Self(rawValue: 1008)
    /// A ``FlowInterceptor`` threw; the message has its error.
    public static let refusedByInterceptor = Self(rawValue: 1009)
}

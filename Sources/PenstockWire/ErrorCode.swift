/// What a client should do about an error, in the fewest words.
package enum ErrorClass: UInt8, Sendable, CaseIterable {
    case retryNow = 1
    case retryLater = 2
    case callersMistake = 3
    case conflict = 4
    case fenced = 5
    case notAllowed = 6
    case unknownOutcome = 7
    case server = 8
}

/// The stable number of an error, as it stands in a frame's status field.
///
/// A number is never reused. Codes below 200 are *hard*: the server closes the
/// connection after it has sent them. All others are *soft*: the command was
/// refused whole, nothing was stored, and the connection lives.
package enum ErrorCode: UInt16, Sendable, CaseIterable {
    case ok = 0

    // Hard: the connection closes.
    case frameTooLong = 100
    case badHeader = 101
    case malformed = 102
    case helloExpected = 103
    case badMagic = 104
    case unsupportedVersion = 105
    case badSequence = 106
    case heartbeatMissed = 107
    case outputOverflow = 108
    case sessionTakenOver = 109
    case tooManyInFlight = 110
    case addWindowExceeded = 111
    case tooManyConnections = 112
    case helloTimeout = 113

    // The caller's mistake.
    case unknownOpcode = 200
    case unknownOption = 201
    case invalidUTF8 = 202
    case invalidQueueName = 203
    case invalidName = 204
    case invalidCustomID = 205
    case payloadTooLarge = 206
    case resultTooLarge = 207
    case invalidOption = 208
    case forwardReference = 209
    case selfReference = 210
    case unknownDependency = 211
    case duplicateCustomID = 212
    case tooManyJobs = 213
    case emptyAdd = 214
    case unknownStream = 215
    case streamInUse = 216
    case cycle = 217
    case duplicateDependency = 218
    case invalidCursor = 219
    case invalidRequest = 220
    case failureTooLarge = 221
    case tooManyDependencies = 222
    case invalidSchedule = 223
    case effectTooLarge = 224

    // What was asked about does not exist.
    case jobNotFound = 300
    case flowNotFound = 301
    case sessionUnknown = 302
    case queueNotFound = 303
    case edgeNotFound = 304
    case schedulerNotFound = 305
    case groupNotFound = 306

    // Conflict with what is stored.
    case fenced = 400
    case customIDExists = 401
    case dependentNotOpen = 402
    case cycleSearchTooLarge = 403
    case notRetryable = 404
    case alreadyFinished = 405
    case dependentStarted = 406
    case jobLeased = 407
    case unresolvedDependencies = 408
    case stageMismatch = 409
    case wrongState = 410
    case prefetchLimited = 411

    // Not now.
    case full = 500
    case draining = 501
    case timedOut = 502
    case settling = 503
    case customIDBusy = 504
    case queueFull = 505

    // Not the caller's fault.
    case internalError = 600
    /// Made by a client, never sent: whether the command was applied can't be known.
    case outcomeUnknown = 601

    /// True where the server closes the connection after this error.
    package var isHard: Bool { (100..<200).contains(rawValue) }

    package var errorClass: ErrorClass {
        switch self {
        case .ok: .server
        case .heartbeatMissed: .retryNow
        case .tooManyConnections, .full, .draining, .timedOut, .outputOverflow, .helloTimeout, .settling, .customIDBusy,
            .queueFull:
            .retryLater
        case .fenced: .fenced
        case .sessionTakenOver, .customIDExists, .dependentNotOpen, .cycleSearchTooLarge, .notRetryable,
            .alreadyFinished, .dependentStarted, .jobLeased, .unresolvedDependencies, .stageMismatch, .wrongState,
            .prefetchLimited:
            .conflict
        case .outcomeUnknown: .unknownOutcome
        case .internalError: .server
        default: .callersMistake
        }
    }
}

/// An error with its stable code and a sentence: what was wrong, and what is allowed.
package struct WireError: Error, Equatable, Sendable, CustomStringConvertible {
    package let code: ErrorCode
    package let message: String

    package init(_ code: ErrorCode, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "\(code) (\(code.rawValue)): \(message)" }

    /// A body that ends before its fields do.
    package static func truncated(_ what: StaticString) -> WireError {
        WireError(.malformed, "The frame ends inside \(what): a length or a count in it is wrong.")
    }
}

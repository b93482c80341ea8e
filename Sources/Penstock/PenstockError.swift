import PenstockWire

/// What went wrong with a request: a stable code, and a sentence that says what was wrong and what is allowed.
///
/// Codes below 1000 are the protocol's own and come from the server, or from
/// the client where it checks the same rule before it sends. Codes from 1000
/// on are the client's.
public struct PenstockError: Error, Hashable, Sendable {
    /// A stable number with a name; compare it with the static members.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }
    }

    public let code: Code
    /// For people: it may change between versions.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// True where the same request, sent again later, may go well, and has not been carried out.
    ///
    /// It is false for ``Code/outcomeUnknown``: that request may have been carried out.
    public var isRetryable: Bool {
        if code == .timedOut { return true }
        guard let known = ErrorCode(rawValue: code.rawValue) else { return false }
        return known.errorClass == .retryNow || known.errorClass == .retryLater
    }
}

extension PenstockError: CustomStringConvertible {
    public var description: String { "\(code) (\(code.rawValue)): \(message)" }
}

extension PenstockError.Code: CustomStringConvertible {
    public var description: String {
        switch self {
        case .encodingFailed: "encodingFailed"
        case .decodingFailed: "decodingFailed"
        case .shutDown: "shutDown"
        case .cancelled: "cancelled"
        case .addTooLarge: "addTooLarge"
        case .unknownLocalID: "unknownLocalID"
        case .duplicateLocalID: "duplicateLocalID"
        case .alreadyRunning: "alreadyRunning"
        case .connectionLost: "connectionLost"
        case .refusedByInterceptor: "refusedByInterceptor"
        default: ErrorCode(rawValue: rawValue).map { "\($0)" } ?? "code"
        }
    }
}

extension PenstockError {
    init(_ error: WireError) {
        self.init(Code(rawValue: error.code.rawValue), error.message)
    }

    /// A status of the wire and the ``ErrorBody`` that goes with it.
    init(status: UInt16, body: RawSpan) {
        var reader = WireReader(body)
        let message = (try? ErrorBody(from: &reader))?.message ?? "The server gave no reason."
        self.init(Code(rawValue: status), message)
    }
}

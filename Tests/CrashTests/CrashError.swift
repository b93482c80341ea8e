import PenstockWire

/// Why a client or a server under test could not go on.
enum CrashError: Error {
    /// The connection is gone, as is to be expected of one whose server is killed.
    case disconnected
    /// The server refused a request.
    case refused(ErrorCode, String)
    /// The process ended before it listened.
    case ended(ServerProcess.Exit, String)
    /// What should not have happened.
    case failed(String)
}

internal import PenstockWire
internal import UV

/// Why a client can't go on.
enum ClientFailure: Error, CustomStringConvertible {
    case notConnected(UVError)
    case closed(UVError?)
    case wire(WireError)
    case refused(commands: Int, WireError)
    /// Neither deliveries nor outcomes came for a long time.
    case stuck(String)
    case revoked(leases: Int)
    /// The server did what it must not do.
    case wrong(String)

    var description: String {
        switch self {
        case .notConnected(let error): "can't connect to the server: \(error)"
        case .closed(let error): "the server closed the connection: \(error.map(\.description) ?? "by itself")"
        case .wire(let error): "\(error)"
        case .refused(let commands, let error): "\(commands) commands were refused, the first with \(error)"
        case .stuck(let what): "nothing came for \(WireClient.patienceSeconds) s: \(what)"
        case .revoked(let leases): "the server took \(leases) leases back, though heartbeats were sent"
        case .wrong(let what): "the server went wrong: \(what)"
        }
    }
}

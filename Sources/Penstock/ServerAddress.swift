/// Where a server listens.
public struct ServerAddress: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    let kind: Kind

    /// A host name or address, and a port.
    public static func tcp(host: String, port: Int = 7411) -> ServerAddress {
        ServerAddress(kind: .tcp(host: host, port: port))
    }

    /// The path of a Unix domain socket.
    public static func unix(path: String) -> ServerAddress { ServerAddress(kind: .unix(path: path)) }
}

extension ServerAddress: CustomStringConvertible {
    public var description: String {
        switch kind {
        case .tcp(let host, let port): "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

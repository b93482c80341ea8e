package import LMDB
package import PenstockEngine
package import UV

/// Why a server could not start, or had to end.
package enum ServerError: Error, CustomStringConvertible {
    case data(OpenError)
    case engine(EngineError)
    case reader(LMDBError)
    case listen(address: String, UVError)
    /// The address can be reached from other machines, and nobody has said that it may.
    case insecureAddress(String)
    case noAddress
    case system(UVError)

    package var description: String {
        switch self {
        case .data(let error): "\(error)"
        case .engine(let error): "\(error)"
        case .reader(let error): "the database can't be read: \(error)"
        case .listen(let address, let error): "cannot listen on \(address): \(error)"
        case .insecureAddress(let address):
            """
            \(address) can be reached from other machines, and this version has neither authentication nor \
            encryption: listen on 127.0.0.1, or say --insecure-no-auth
            """
        case .noAddress: "there is nothing to listen on: give a port, a Unix socket, or both"
        case .system(let error): "the system refused: \(error)"
        }
    }
}

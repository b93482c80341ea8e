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

extension ServerError {
    /// The status that `penstockd` exits with: stable, one for each thing that an operator would do about it.
    ///
    /// The numbers are those of sysexits.h.
    package var exitStatus: Int32 {
        switch self {
        case .data(.notWritable), .data(.worldWritable): ServerError.notPermitted
        case .data(.inUse): ServerError.temporary
        case .data(.damaged), .engine(.newerFormat), .engine(.damaged): ServerError.dataError
        case .data(.networkFilesystem), .insecureAddress, .noAddress: ServerError.badConfiguration
        case .listen: ServerError.unavailable
        case .data(.lmdb), .data(.system), .engine(.lmdb), .engine(.full), .reader: ServerError.inputOutputError
        case .system: ServerError.systemError
        }
    }

    /// The data directory can't be written, or everybody could: give it to the user that runs the server.
    package static let notPermitted: Int32 = 77
    /// Another server has the data directory: stop that one, or choose another directory.
    package static let temporary: Int32 = 75
    /// The database is damaged, or of a newer format.
    package static let dataError: Int32 = 65
    /// The options do not go together, or ask for what is not allowed.
    package static let badConfiguration: Int32 = 78
    /// The address can't be listened on.
    package static let unavailable: Int32 = 69
    /// The system refused a thread or a handle.
    package static let systemError: Int32 = 71
    /// The disk refused, at the start or at a commit; what became of that commit is found out at the next start.
    package static let inputOutputError: Int32 = 74
}

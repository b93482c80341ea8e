import Foundation

/// Where a server under test keeps its files; removed with its last reference, unless something went wrong.
final class CrashDirectory: Sendable {
    let path: String
    var data: String { path + "/data" }
    var portFile: String { path + "/port" }
    var log: String { path + "/log" }

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("penstock-crash-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Keeps a copy of the data as they are.
    func save() throws {
        try? FileManager.default.removeItem(atPath: path + "/saved")
        try FileManager.default.copyItem(atPath: data, toPath: path + "/saved")
    }

    /// Puts the copy in place of the data.
    func restore() throws {
        try FileManager.default.removeItem(atPath: data)
        try FileManager.default.moveItem(atPath: path + "/saved", toPath: data)
    }

    /// The end of what the servers have said.
    var logTail: String {
        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        return String(text.suffix(6000))
    }
}

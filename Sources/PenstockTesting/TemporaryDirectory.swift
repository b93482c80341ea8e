import Foundation

/// A directory of its own that goes with the last reference, and all that is in it.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws(TestServerError) {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("penstock-\(UUID().uuidString)")
        path = url.path
        do {
            try FileManager.default.createDirectory(
                at: url,
                withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw TestServerError(description: "no temporary directory: \(error)")
        }
    }

    deinit {
        // Nobody is left to tell where this fails; the system clears its temporary directory itself.
        try? FileManager.default.removeItem(atPath: path)
    }
}

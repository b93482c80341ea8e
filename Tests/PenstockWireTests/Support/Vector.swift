import Foundation

/// One golden vector; `protocol/vectors/README.md` describes the text it is read from.
struct Vector: Sendable, CustomStringConvertible {
    enum Sender: String, Sendable { case client, server }

    var name: String
    var file: String
    var from: Sender
    var message: String
    var error: String?
    var reencodes: Bool
    var frameBytesMax: Int?
    var frame: [UInt8]

    var description: String { "\(file): \(name)" }

    static let valid = all(in: "valid")
    static let broken = all(in: "broken")

    private static func all(in directory: String) -> [Vector] {
        let folder = Repository.root.appending(path: "protocol/vectors/\(directory)")
        let files = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
        return (files ?? []).filter { $0.hasSuffix(".txt") }.sorted().flatMap { file in
            parse(Repository.text(of: "protocol/vectors/\(directory)/\(file)"), file: "\(directory)/\(file)")
        }
    }

    static func parse(_ text: String, file: String) -> [Vector] {
        var vectors: [Vector] = []
        var fields: [String: String] = [:]
        var bytes: [UInt8] = []
        func end() {
            guard let name = fields["vector"] else { return }
            guard let from = fields["from"].flatMap(Sender.init(rawValue:)), let message = fields["message"] else {
                fatalError("\(file): \(name) does not say who sends it, or what it is")
            }
            vectors.append(
                Vector(
                    name: name,
                    file: file,
                    from: from,
                    message: message,
                    error: fields["error"],
                    reencodes: fields["reencodes"] != "no",
                    frameBytesMax: fields["frameBytesMax"].flatMap { Int($0) },
                    frame: bytes
                )
            )
            fields = [:]
            bytes = []
        }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.isEmpty {
                end()
            } else if line.hasPrefix("#") {
                continue
            } else if line.hasPrefix(" ") {
                bytes += hexadecimal(line)
            } else if let colon = line.firstIndex(of: ":") {
                fields[String(line[..<colon])] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            }
        }
        end()
        return vectors
    }

    /// The bytes of a line as `4c 00 00*300  # a comment`.
    static func hexadecimal(_ line: Substring) -> [UInt8] {
        line.prefix { $0 != "#" }.split(separator: " ").flatMap { word -> [UInt8] in
            let parts = word.split(separator: "*")
            guard let byte = UInt8(parts[0], radix: 16), parts[0].utf8.count == 2 else {
                fatalError("\(word) is no byte")
            }
            return [UInt8](repeating: byte, count: parts.count == 2 ? Int(parts[1]) ?? 0 : 1)
        }
    }
}

/// The files of the repository that the tests stand in.
enum Repository {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    static func text(of path: String) -> String {
        guard let text = try? String(contentsOf: root.appending(path: path), encoding: .utf8) else {
            fatalError("\(path) can't be read")
        }
        return text
    }
}

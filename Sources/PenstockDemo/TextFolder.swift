import Foundation

/// The text files of a folder.
enum TextFolder {
    /// Paths relative to the folder, sorted; hidden files and folders, and files with a NUL byte, are left out.
    static func files(in folder: String) throws -> [String] {
        let root = URL(fileURLWithPath: folder).standardizedFileURL
        guard
            let walk = FileManager.default.enumerator(
                at: root,
                includingPropertiesForKeys: [.isRegularFileKey],
                options: [.skipsHiddenFiles]
            )
        else { throw DemoError(description: "\(folder) can't be read") }
        var files: [String] = []
        for case let url as URL in walk {
            guard try url.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else { continue }
            let path = String(url.standardizedFileURL.path.dropFirst(root.path.count + 1))
            if try isText(url) { files.append(path) }
        }
        return files.sorted()
    }

    private static func isText(_ url: URL) throws -> Bool {
        let file = try FileHandle(forReadingFrom: url)
        defer { try? file.close() }
        return try file.read(upToCount: 8192)?.contains(0) != true
    }

    /// The files in `count` parts of about the same size in bytes; a part may be empty.
    static func parts(of files: [String], in folder: String, count: Int) throws -> [[String]] {
        var parts = [[String]](repeating: [], count: count)
        var sizes = [Int](repeating: 0, count: count)
        let root = URL(fileURLWithPath: folder)
        for file in files {
            let size = try root.appendingPathComponent(file).resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0
            let smallest = sizes.indices.min { sizes[$0] < sizes[$1] } ?? 0
            parts[smallest].append(file)
            sizes[smallest] += size
        }
        return parts
    }
}

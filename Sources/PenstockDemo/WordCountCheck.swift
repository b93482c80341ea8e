import Foundation

/// What `wc` says of the same files.
struct WordCountCheck {
    var lines = 0
    var words = 0
    var bytes = 0

    static func run(on files: [String], in folder: String) throws -> WordCountCheck {
        var check = WordCountCheck()
        // As many at a time as a command line surely takes.
        for start in stride(from: 0, to: files.count, by: 200) {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = ["LC_ALL=C", "wc", "-lwc", "--"] + files[start..<min(start + 200, files.count)]
            process.currentDirectoryURL = URL(fileURLWithPath: folder)
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            let rows = text.split(separator: "\n")
            // Of several files the last row is the total; of one, its own.
            let numbers = rows.last?.split(separator: " ").prefix(3).compactMap { Int($0) } ?? []
            guard process.terminationStatus == 0, numbers.count == 3 else {
                throw DemoError(description: "wc could not count the files")
            }
            check.lines += numbers[0]
            check.words += numbers[1]
            check.bytes += numbers[2]
        }
        return check
    }

    /// Up to version 9.4 wc counts no word that has only bytes it can't print; later versions do.
    func agrees(with totals: Totals) -> Bool {
        lines == totals.lines && bytes == totals.bytes
            && (words == totals.words || words == totals.words + totals.unprintableWords)
    }

    func describe(_ totals: Totals) -> String {
        let numbers = "wc         \(lines) lines, \(words) words, \(bytes) bytes"
        return numbers + (agrees(with: totals) ? ": the same" : ": NOT the same as the flow's totals")
    }
}

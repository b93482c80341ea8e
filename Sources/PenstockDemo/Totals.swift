import Foundation

/// What was counted in some files.
struct Totals: Codable, Sendable {
    var files = 0
    var lines = 0
    /// Runs of bytes that are not white space, with a printable one among them.
    var words = 0
    /// Runs without a printable byte; see ``WordCountCheck``.
    var unprintableWords = 0
    var bytes = 0
    /// How often each word occurs: ASCII letters, in lower case, at least four of them.
    var frequencies: [String: Int] = [:]

    mutating func add(_ other: Totals) {
        files += other.files
        lines += other.lines
        words += other.words
        unprintableWords += other.unprintableWords
        bytes += other.bytes
        frequencies.merge(other.frequencies, uniquingKeysWith: +)
    }

    /// Counts one file's bytes.
    mutating func add(file data: Data) {
        files += 1
        bytes += data.count
        var isInside = false
        var isPrintable = false
        var letters: [UInt8] = []
        func endWord(_ totals: inout Totals) {
            if isInside && isPrintable { totals.words += 1 }
            if isInside && !isPrintable { totals.unprintableWords += 1 }
            isInside = false
            isPrintable = false
        }
        func endLetters(_ totals: inout Totals) {
            if letters.count >= 4 { totals.frequencies[String(decoding: letters, as: UTF8.self), default: 0] += 1 }
            letters.removeAll(keepingCapacity: true)
        }
        for byte in data {
            if byte == UInt8(ascii: "\n") { lines += 1 }
            if byte == 0x20 || (0x09...0x0D).contains(byte) {
                endWord(&self)
            } else {
                isInside = true
                if (0x21...0x7E).contains(byte) { isPrintable = true }
            }
            let lower = byte | 0x20
            if (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(lower) && byte >= 0x41 && byte <= 0x7A {
                letters.append(lower)
            } else {
                endLetters(&self)
            }
        }
        endWord(&self)
        endLetters(&self)
    }

    /// The most frequent words, the most frequent first.
    func mostFrequent(_ count: Int) -> [(word: String, count: Int)] {
        let sorted = frequencies.sorted { $0.value != $1.value ? $0.value > $1.value : $0.key < $1.key }
        return sorted.prefix(count).map { (word: $0.key, count: $0.value) }
    }

    /// Without the rarest words, so that a result stays within the limit of one.
    func keeping(_ count: Int) -> Totals {
        guard frequencies.count > count else { return self }
        var result = self
        result.frequencies = Dictionary(uniqueKeysWithValues: mostFrequent(count).map { ($0.word, $0.count) })
        return result
    }
}

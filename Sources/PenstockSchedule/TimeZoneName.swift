/// The name of a time zone, checked: `UTC`, an offset such as `+02:00`, or one of the IANA's names.
package enum TimeZoneName: Equatable, Sendable {
    /// Seconds east of UTC.
    case offset(seconds: Int)
    /// A path below the directory of zones. It has ASCII letters, digits, `+`, `-` and `_` in parts that start with a
    /// letter: it never leaves the directory, and files that are no zones (`zone.tab`) have no such name.
    case file(String)

    package init(_ text: String) throws(TimeZoneError) {
        guard (1...ScheduleLimits.zoneBytesMax).contains(text.utf8.count) else { throw .invalidName(text) }
        if text == "UTC" {
            self = .offset(seconds: 0)
        } else if text.hasPrefix("+") || text.hasPrefix("-") {
            self = .offset(seconds: try Self.seconds(of: text))
        } else {
            guard Self.isPath(text) else { throw .invalidName(text) }
            self = .file(text)
        }
    }

    private static func isPath(_ text: String) -> Bool {
        text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { part in
            guard let first = part.first, isLetter(first) else { return false }
            return part.allSatisfy { byte in
                isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "+")
                    || byte == UInt8(ascii: "-")
            }
        }
    }

    /// The seconds of `+hh:mm` or `-hh:mm`.
    private static func seconds(of text: String) throws(TimeZoneError) -> Int {
        let bytes = Array(text.utf8)
        guard bytes.count == 6, bytes[3] == UInt8(ascii: ":"), [1, 2, 4, 5].allSatisfy({ isDigit(bytes[$0]) }) else {
            throw .invalidOffset(text)
        }
        func number(at index: Int) -> Int { Int(bytes[index] - 0x30) * 10 + Int(bytes[index + 1] - 0x30) }
        let seconds = number(at: 1) * Seconds.perHour + number(at: 4) * Seconds.perMinute
        guard number(at: 4) < 60, seconds <= ScheduleLimits.fixedOffsetSecondsMax else { throw .invalidOffset(text) }
        return bytes[0] == UInt8(ascii: "-") ? -seconds : seconds
    }
}

func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) }

func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

/// Why a text is no cron expression.
package enum CronError: Error, Equatable, Sendable {
    case empty
    /// More bytes than ``ScheduleLimits/cronBytesMax``.
    case tooLong(bytes: Int)
    case fieldCount(Int)
    /// An `@name` that does not exist.
    case unknownMacro(String)
    /// A part of a field that is no value, or one out of its range.
    case badValue(CronField, String)
    /// A range that ends before it starts.
    case reversedRange(CronField, String)
    /// A step that is no number, or out of its range.
    case badStep(CronField, String)
    /// No date can match.
    case neverFires(String)
}

extension CronError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .empty:
            "The cron expression is empty; five or six fields are allowed."
        case .tooLong(let bytes):
            "A cron expression of \(bytes) bytes; at most \(ScheduleLimits.cronBytesMax) are allowed."
        case .fieldCount(let count):
            "The cron expression has \(count) \(count == 1 ? "field" : "fields"); five (minute, hour, day of month, "
                + "month, day of week) or six (second first) are allowed."
        case .unknownMacro(let text):
            "\(quoted(text)) is not known; \(CronMacro.allNames) are allowed."
        case .badValue(let field, let text):
            "\(field.rawValue) \(quoted(text)): \(field.allowed)."
        case .reversedRange(let field, let text):
            "\(field.rawValue) \(quoted(text)): a range must not end before it starts; \(field.allowed)."
        case .badStep(let field, let text):
            "\(field.rawValue) \(quoted(text)): steps of 1 to \(field.range.upperBound) are allowed."
        case .neverFires(let text):
            "\(quoted(text)) never fires: no month that it names has such a day."
        }
    }
}

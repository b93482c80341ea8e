/// A field of a cron expression: what it may hold, and how that is said.
package enum CronField: String, Sendable {
    case second
    case minute
    case hour
    case dayOfMonth = "day of month"
    case month
    case dayOfWeek = "day of week"

    /// The numbers that may be written. 0 and 7 are both Sunday.
    var range: ClosedRange<Int> {
        switch self {
        case .second, .minute: 0...59
        case .hour: 0...23
        case .dayOfMonth: 1...31
        case .month: 1...12
        case .dayOfWeek: 0...7
        }
    }

    /// The numbers that `*` means.
    var all: ClosedRange<Int> { self == .dayOfWeek ? 0...6 : range }

    /// The names of the numbers from the range's lower bound on.
    var names: [String] {
        switch self {
        case .month: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
        case .dayOfWeek: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
        default: []
        }
    }

    /// Whether `?` may stand for `*`.
    var allowsQuestionMark: Bool { self == .dayOfMonth || self == .dayOfWeek }

    /// The end of a sentence that says what is allowed.
    var allowed: String {
        let numbers = "\(range.lowerBound) to \(range.upperBound)"
        return switch self {
        case .dayOfMonth: "\(numbers), and L for the last day, are allowed"
        case .month: "\(numbers) or JAN to DEC are allowed"
        case .dayOfWeek: "\(numbers) or SUN to SAT are allowed"
        default: "\(numbers) are allowed"
        }
    }
}

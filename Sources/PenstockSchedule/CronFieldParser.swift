/// Reads one field of a cron expression.
///
///     field:  part ( "," part )*
///     part:   ( "*" | value | value "-" value ) ( "/" step )?
///
/// `value/step` is the range from the value to the field's end. A day of month may be `L`, and a field of days `?`.
struct CronFieldParser {
    let field: CronField
    private(set) var values = BitSet()
    /// Whether `L` is one of the values.
    private(set) var hasLastDay = false
    /// Whether the field begins with `*` or `?`: Vixie cron's mark of a field that restricts nothing.
    private(set) var isWildcard = false

    init(_ field: CronField, _ text: Substring) throws(CronError) {
        self.field = field
        isWildcard = text.first == "*" || text == "?"
        if text == "?", field.allowsQuestionMark {
            values = BitSet(field.all)
            return
        }
        for part in text.split(separator: ",", omittingEmptySubsequences: false) { try add(part) }
        // Sunday has one place in the set.
        if field == .dayOfWeek, values.contains(7) {
            values.remove(7)
            values.insert(0)
        }
    }

    private mutating func add(_ part: Substring) throws(CronError) {
        if field == .dayOfMonth, part == "L" || part == "l" {
            hasLastDay = true
            return
        }
        let pieces = part.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        var step = 1
        if pieces.count == 2 {
            guard let number = Self.number(pieces[1]), number >= 1, number <= field.range.upperBound else {
                throw .badStep(field, String(part))
            }
            step = number
        }
        for value in stride(from: try range(pieces[0], of: part, hasStep: pieces.count == 2), by: step) {
            values.insert(value)
        }
    }

    private func range(_ text: Substring, of part: Substring, hasStep: Bool) throws(CronError) -> ClosedRange<Int> {
        if text == "*" { return field.all }
        let bounds = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard let lower = value(bounds[0]) else { throw .badValue(field, String(part)) }
        guard bounds.count == 2 else { return lower...(hasStep ? max(lower, field.all.upperBound) : lower) }
        guard var upper = value(bounds[1]) else { throw .badValue(field, String(part)) }
        // Sunday ends a week as well as it starts one: FRI-SUN.
        if field == .dayOfWeek, upper == 0, lower > 0 { upper = 7 }
        guard lower <= upper else { throw .reversedRange(field, String(part)) }
        return lower...upper
    }

    /// A number or a name within the field's range.
    private func value(_ text: Substring) -> Int? {
        if let number = Self.number(text) { return field.range.contains(number) ? number : nil }
        let name = text.uppercased()
        return field.names.firstIndex(of: name).map { $0 + field.range.lowerBound }
    }

    /// Up to four digits and nothing else: no sign, no space.
    private static func number(_ text: Substring) -> Int? {
        guard (1...4).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }
}

/// The numbers of a range at distances of `step`.
private func stride(from range: ClosedRange<Int>, by step: Int) -> StrideThrough<Int> {
    stride(from: range.lowerBound, through: range.upperBound, by: step)
}

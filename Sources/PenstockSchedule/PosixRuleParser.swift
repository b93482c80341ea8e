/// Reads a rule in POSIX's `TZ` form.
struct PosixRuleParser {
    private var cursor: ByteCursor

    /// The rule, or nil for bytes that are none.
    static func rule(_ bytes: [UInt8]) -> PosixRule? {
        var parser = PosixRuleParser(cursor: ByteCursor(bytes))
        guard let rule = parser.rule(), parser.cursor.isAtEnd else { return nil }
        return rule
    }

    private mutating func rule() -> PosixRule? {
        guard name(), let standardOffset = offset() else { return nil }
        if cursor.isAtEnd { return PosixRule(standardOffset: standardOffset) }
        guard name() else { return nil }
        var summerOffset = standardOffset + Seconds.perHour
        if cursor.peek != UInt8(ascii: ",") {
            guard let offset = offset() else { return nil }
            summerOffset = offset
        }
        guard abs(summerOffset) <= ScheduleLimits.offsetSecondsMax,
            cursor.skip(","), let start = date(), cursor.skip(","), let end = date()
        else { return nil }
        let summer = PosixRule.Summer(offset: summerOffset, start: start, end: end)
        return PosixRule(standardOffset: standardOffset, summer: summer)
    }

    /// Passes over `CET` or `<+0530>`, of three bytes at least.
    private mutating func name() -> Bool {
        guard cursor.skip("<") else { return cursor.take(while: isLetter).count >= 3 }
        let name = cursor.take { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") }
        return name.count >= 3 && cursor.skip(">")
    }

    /// An offset as seconds east of UTC; it is written as hours west.
    private mutating func offset() -> Int? { time(hoursMax: 24).map { -$0 } }

    /// `Jn`, `n` or `Mm.w.d`, and `/time`, which is 02:00 where it is absent.
    private mutating func date() -> PosixDate? {
        guard let day = day() else { return nil }
        guard cursor.skip("/") else { return PosixDate(day: day, time: 2 * Seconds.perHour) }
        return time(hoursMax: 167).map { PosixDate(day: day, time: $0) }
    }

    private mutating func day() -> PosixDate.Day? {
        if cursor.skip("J") { return number(1...365).map { .julian($0) } }
        guard cursor.skip("M") else { return number(0...365).map { .zeroBased($0) } }
        guard let month = number(1...12), cursor.skip("."), let week = number(1...5), cursor.skip("."),
            let weekday = number(0...6)
        else { return nil }
        return .weekday(month: month, week: week, weekday: weekday)
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    private mutating func time(hoursMax: Int) -> Int? {
        let isNegative = cursor.skip("-")
        if !isNegative { _ = cursor.skip("+") }
        guard let hours = number(0...hoursMax) else { return nil }
        var seconds = hours * Seconds.perHour
        for unit in [Seconds.perMinute, 1] {
            guard cursor.skip(":") else { break }
            guard let number = number(0...59) else { return nil }
            seconds += number * unit
        }
        return isNegative ? -seconds : seconds
    }

    private mutating func number(_ range: ClosedRange<Int>) -> Int? {
        let digits = cursor.take(while: isDigit)
        guard (1...3).contains(digits.count) else { return nil }
        let number = digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        return range.contains(number) ? number : nil
    }
}

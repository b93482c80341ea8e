/// A cron expression, parsed: the civil dates and times that it matches.
///
///     second?  minute  hour  day-of-month  month  day-of-week
///     0–59     0–59    0–23  1–31, L       1–12   0–7            (second: 0 where five fields are given)
///
/// A field is a list of `*`, values, ranges `a-b` and steps `*/n`, `a-b/n`, `a/n` (from `a` to the end). Months and
/// weekdays have their English names in three letters, in any case; 0 and 7 are Sunday. `L` is the last day of the
/// month, `?` is `*` in the two fields of days, and `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`,
/// `@yearly` and `@annually` are whole expressions.
///
/// As in Vixie cron, a day that is restricted in both fields matches if *either* matches; a field that begins with
/// `*` or `?` does not count as restricted, so `0 0 */2 * MON` fires on the odd days that are Mondays.
package struct CronExpression: Sendable {
    /// The expression as it was written.
    package let text: String
    /// Whether the minute or the hour begins with `*`. Such an expression means "as often as the clock shows it" and
    /// follows a clock that is set back or forward; one without means certain times of a day. See ``Schedule``.
    package let followsClock: Bool

    let seconds: BitSet
    let minutes: BitSet
    let hours: BitSet
    /// Bit 1 to bit 31.
    let daysOfMonth: BitSet
    let hasLastDayOfMonth: Bool
    /// Bit 1 to bit 12.
    let months: BitSet
    /// Bit 0, Sunday, to bit 6.
    let daysOfWeek: BitSet
    /// Whether one matching field of days is enough.
    let matchesEitherDay: Bool

    package init(_ text: String) throws(CronError) {
        guard text.utf8.count <= ScheduleLimits.cronBytesMax else { throw .tooLong(bytes: text.utf8.count) }
        var fields = text.split { $0 == " " || $0 == "\t" }
        guard let first = fields.first else { throw .empty }
        if first.hasPrefix("@") {
            guard fields.count == 1, let macro = CronMacro(rawValue: first.dropFirst().lowercased()) else {
                throw .unknownMacro(text)
            }
            fields = macro.expression.split(separator: " ")
        }
        switch fields.count {
        case 5: fields.insert("0", at: 0)
        case 6: break
        default: throw .fieldCount(fields.count)
        }
        let second = try CronFieldParser(.second, fields[0])
        let minute = try CronFieldParser(.minute, fields[1])
        let hour = try CronFieldParser(.hour, fields[2])
        let dayOfMonth = try CronFieldParser(.dayOfMonth, fields[3])
        let month = try CronFieldParser(.month, fields[4])
        let dayOfWeek = try CronFieldParser(.dayOfWeek, fields[5])
        self.text = text
        seconds = second.values
        minutes = minute.values
        hours = hour.values
        daysOfMonth = dayOfMonth.values
        hasLastDayOfMonth = dayOfMonth.hasLastDay
        months = month.values
        daysOfWeek = dayOfWeek.values
        matchesEitherDay = !dayOfMonth.isWildcard && !dayOfWeek.isWildcard
        followsClock = minute.isWildcard || hour.isWildcard
        guard canFire else { throw .neverFires(text) }
    }

    /// Whether a month exists that has one of the days. Every weekday falls on every date of the year at some time, a
    /// 29 February included, so only the days of the month decide.
    private var canFire: Bool {
        if matchesEitherDay || hasLastDayOfMonth { return true }
        return (1...12).contains { month in
            // 2000 is a leap year.
            let days = BitSet(1...CivilDate.days(inMonth: month, of: 2000))
            return months.contains(month) && !daysOfMonth.intersection(days).isEmpty
        }
    }

    /// The days of a month that match, as bit 1 to bit 31.
    func days(inMonth month: Int, of year: Int) -> BitSet {
        let last = CivilDate.days(inMonth: month, of: year)
        var byDate = daysOfMonth
        if hasLastDayOfMonth { byDate.insert(last) }
        let byWeekday = days(ofWeekdaysFrom: CivilDate(year: year, month: month, day: 1).weekday)
        let either = matchesEitherDay ? byDate.union(byWeekday) : byDate.intersection(byWeekday)
        return either.intersection(BitSet(1...last))
    }

    /// The dates of the weekdays that match, in a month whose first day is the weekday `first`.
    private func days(ofWeekdaysFrom first: Int) -> BitSet {
        // Bit 0 is the first day's weekday, and so on for a week.
        let week = (daysOfWeek.bits >> UInt64(first) | daysOfWeek.bits << UInt64(7 - first)) & 0x7f
        // Five weeks cover a month; dates count from one.
        return BitSet(bits: (week | week << 7 | week << 14 | week << 21 | week << 28) << 1)
    }
}

extension CronExpression: Equatable {
    /// True for the same text; two texts of one meaning are two expressions.
    package static func == (left: CronExpression, right: CronExpression) -> Bool { left.text == right.text }
}

extension CronExpression: CustomStringConvertible {
    package var description: String { text }
}

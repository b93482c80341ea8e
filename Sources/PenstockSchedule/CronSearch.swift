/// The search for the next civil time that an expression matches.
///
/// It goes from set bit to set bit, never from second to second: a year, a month, a day, and then at most two steps
/// for each of hour, minute and second. Times are *local seconds*: the seconds since 1970-01-01 00:00 by the local
/// clock, as if its days had no gaps.
package struct CronSearch {
    private let expression: CronExpression
    /// The months that were looked at, and the times of a day: the work that was done.
    package private(set) var steps = 0

    package init(_ expression: CronExpression) { self.expression = expression }

    /// The first local second from `start` on that matches; nil when there is none in ``ScheduleLimits/searchYears``.
    package mutating func next(from start: Int) -> Int? {
        let (days, second) = start.flooringDivision(by: Seconds.perDay)
        let today = CivilDate(daysSinceEpoch: days)
        if isMatching(today), let time = firstTime(from: second) {
            return days * Seconds.perDay + time
        }
        guard let date = firstDate(after: today), let time = firstTime(from: 0) else { return nil }
        return date.daysSinceEpoch * Seconds.perDay + time
    }

    private mutating func isMatching(_ date: CivilDate) -> Bool {
        steps += 1
        return expression.months.contains(date.month)
            && expression.days(inMonth: date.month, of: date.year).contains(date.day)
    }

    private mutating func firstDate(after date: CivilDate) -> CivilDate? {
        let yearMax = min(date.year + ScheduleLimits.searchYears, ScheduleLimits.yearMax)
        var (year, month, day) = (date.year, date.month, date.day + 1)
        while year <= yearMax {
            steps += 1
            guard let matching = expression.months.first(from: month) else {
                (year, month, day) = (year + 1, 1, 1)
                continue
            }
            if matching > month { day = 1 }
            if let found = expression.days(inMonth: matching, of: year).first(from: day) {
                return CivilDate(year: year, month: matching, day: found)
            }
            (month, day) = (matching + 1, 1)
        }
        return nil
    }

    /// The first second of a day from `second` on; nil when the day has no more.
    private mutating func firstTime(from second: Int) -> Int? {
        steps += 1
        let startHour = second / Seconds.perHour
        let startMinute = second / Seconds.perMinute % 60
        guard let hour = expression.hours.first(from: startHour) else { return nil }
        if hour > startHour { return time(hour, 0) }
        if let minute = expression.minutes.first(from: startMinute) {
            if minute > startMinute { return time(hour, minute) }
            if let second = expression.seconds.first(from: second % 60) { return time(hour, minute, second) }
            if expression.minutes.first(from: startMinute + 1) != nil { return time(hour, startMinute + 1) }
        }
        guard let hour = expression.hours.first(from: startHour + 1) else { return nil }
        return time(hour, 0)
    }

    /// The first matching time from an hour and a minute on; both fields have one.
    private func time(_ hour: Int, _ minute: Int, _ second: Int? = nil) -> Int? {
        guard let minute = expression.minutes.first(from: minute),
            let second = second ?? expression.seconds.first(from: 0)
        else { return nil }
        return hour * Seconds.perHour + minute * Seconds.perMinute + second
    }
}

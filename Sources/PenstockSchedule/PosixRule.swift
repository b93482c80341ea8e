/// The rule for the years behind a zone's table: standard time, and the two changes of a year where it has summer time.
///
/// In POSIX's `TZ` form, with the extensions of RFC 8536 (times of -167 to 167 hours):
///
///     CET-1CEST,M3.5.0,M10.5.0/3
///     name, hours *west* of UTC, name of summer time, its hours where they are not one more, its start, its end
struct PosixRule: Equatable, Sendable {
    /// Seconds east of UTC.
    var standardOffset: Int
    var summer: Summer?

    /// Summer time. It may be behind standard time, and end in an earlier month than it starts.
    struct Summer: Equatable, Sendable {
        var offset: Int
        var start: PosixDate
        var end: PosixDate
    }

    func period(at instant: Int) -> ClockPeriod {
        guard let summer else { return ClockPeriod(start: .min, end: .max, offset: standardOffset) }
        let year = CivilDate(daysSinceEpoch: instant.flooringDivision(by: Seconds.perDay).quotient).year
        // A change may lie a week beside its year, so the years around count. Where one summer ends as the next one
        // starts, which is how a summer for ever is written, the start comes last and summer goes on.
        var changes: [(instant: Int, isStart: Bool)] = []
        for year in (year - 2)...(year + 2) {
            changes.append((summer.end.localSeconds(in: year) - summer.offset, false))
            changes.append((summer.start.localSeconds(in: year) - standardOffset, true))
        }
        changes.sort { ($0.instant, $0.isStart ? 1 : 0) < ($1.instant, $1.isStart ? 1 : 0) }
        let next = changes.partitioningIndex { $0.instant > instant }
        let isSummer = next > 0 && changes[next - 1].isStart
        return ClockPeriod(
            start: next > 0 ? changes[next - 1].instant : .min,
            end: next < changes.count ? changes[next].instant : .max,
            offset: isSummer ? summer.offset : standardOffset
        )
    }
}

/// A day of each year, and a time on it.
struct PosixDate: Equatable, Sendable {
    enum Day: Equatable, Sendable {
        /// `Jn`: 1 to 365; 29 February is never counted.
        case julian(Int)
        /// `n`: 0 to 365; 29 February is counted.
        case zeroBased(Int)
        /// `Mm.w.d`: the weekday `d` of week `w` of a month; week 5 is the last one.
        case weekday(month: Int, week: Int, weekday: Int)
    }

    var day: Day
    /// Seconds from the day's start by the clock that the change ends; may be negative, or more than a day.
    var time: Int

    /// The local seconds since 1970-01-01 of the change in a year.
    func localSeconds(in year: Int) -> Int {
        daysSinceEpoch(in: year) * Seconds.perDay + time
    }

    private func daysSinceEpoch(in year: Int) -> Int {
        switch day {
        case .julian(let number):
            let isBehindLeapDay = CivilDate.isLeap(year) && number >= 60
            return CivilDate(year: year, month: 1, day: 1).daysSinceEpoch + number - (isBehindLeapDay ? 0 : 1)
        case .zeroBased(let number):
            return CivilDate(year: year, month: 1, day: 1).daysSinceEpoch + number
        case .weekday(let month, let week, let weekday):
            let first = CivilDate(year: year, month: month, day: 1)
            var date = 1 + (weekday - first.weekday + 7) % 7 + (week - 1) * 7
            if date > CivilDate.days(inMonth: month, of: year) { date -= 7 }
            return first.daysSinceEpoch + date - 1
        }
    }
}

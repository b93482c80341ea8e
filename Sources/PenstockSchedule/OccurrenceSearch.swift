/// The search for the first instant at which an expression fires in a time zone. See ``Schedule`` for its rules.
struct OccurrenceSearch {
    private let expression: CronExpression
    private let zone: TimeZoneRules
    /// The first second that counts.
    private let start: Int

    init(_ expression: CronExpression, _ zone: TimeZoneRules, from start: Int) {
        self.expression = expression
        self.zone = zone
        self.start = start
    }

    func next() -> Int? {
        expression.followsClock ? nextShown() : nextReached()
    }

    /// The first instant at which the clock shows a time that matches.
    private func nextShown() -> Int? {
        var search = CronSearch(expression)
        var period = zone.period(at: start)
        var local = start + period.offset
        let end = start + ScheduleLimits.searchYears * 366 * Seconds.perDay
        // The local times from `searched` up to `found` don't match, but for `found` itself.
        var searched = local
        guard var found = search.next(from: local) else { return nil }
        while true {
            if !(searched...found).contains(local) {
                guard let next = search.next(from: local) else { return nil }
                (searched, found) = (local, next)
            }
            let instant = found - period.offset
            if instant < period.end { return instant }
            guard period.end < end else { return nil }
            period = zone.period(at: period.end)
            local = period.start + period.offset
        }
    }

    /// The first instant at which the clock has reached a time that matches and that it had not reached before.
    private func nextReached() -> Int? {
        var search = CronSearch(expression)
        guard let local = search.next(from: reached(before: start) + 1) else { return nil }
        // No zone is farther from UTC than that, so nothing before can show it.
        var period = zone.period(at: max(start, local - ScheduleLimits.offsetSecondsMax))
        while true {
            let instant = max(start, period.start, local - period.offset)
            if instant < period.end { return instant }
            period = zone.period(at: period.end)
        }
    }

    /// The latest local time that the clock has shown before an instant.
    private func reached(before instant: Int) -> Int {
        var period = zone.period(at: instant - 1)
        var latest = instant - 1 + period.offset
        // What it showed longer ago than two offsets can differ is overtaken since.
        let horizon = instant - 2 * ScheduleLimits.offsetSecondsMax
        while period.start > horizon {
            let end = period.start
            period = zone.period(at: end - 1)
            latest = max(latest, end - 1 + period.offset)
        }
        return latest
    }
}

/// When something recurs: at an interval, or by cron in a time zone.
///
/// A pure value: it reads no clock. Instants are milliseconds since 1970-01-01 00:00 UTC.
///
/// **Interval.** Occurrences are `anchor + k × milliseconds`, so that nothing drifts: a late one moves no other.
///
/// **Cron.** The expression is matched against the local clock of the zone. Where that clock is set forward or back, an
/// expression's ``CronExpression/followsClock`` decides, as in Vixie cron:
///
/// - *Certain times* (neither minute nor hour begins with `*`, like `30 2 * * *` or `0 9-17 * * MON-FRI`) fire at the
///   first instant at which the local clock shows their time *or a later one*. So a time that is left out fires at
///   the first instant behind the gap, once with all others of the gap; a time that is shown twice fires the first
///   time only.
/// - *As often as* (`*/15 * * * *`, `0 * * * *`, `*/5 2 * * *`) fires whenever the local clock shows a time that
///   matches: times in a gap don't exist, and in an hour that comes twice it fires twice. Every 15 minutes stay every
///   15 minutes.
///
/// Sources: cron(8) of Vixie cron for the expressions and the rules above, RFC 8536 for TZif, POSIX.1 for `TZ`.
package enum Schedule: Equatable, Sendable {
    case every(Interval)
    case cron(CronExpression, TimeZoneRules)

    /// The first occurrence after an instant; nil when there is none.
    package func next(after instant: UInt64) -> UInt64? {
        switch self {
        case .every(let interval): return interval.next(after: instant)
        case .cron(let expression, let zone):
            // Behind the last year there is nothing, and no number that could overflow.
            guard let second = Int(exactly: instant / 1000 + 1), second < Self.secondMax else { return nil }
            let search = OccurrenceSearch(expression, zone, from: second)
            return search.next().map { UInt64($0) * 1000 }
        }
    }

    /// The second behind the last one of the last year.
    private static let secondMax =
        CivilDate(year: ScheduleLimits.yearMax + 1, month: 1, day: 1).daysSinceEpoch * Seconds.perDay
}

/// An interval: the instants `anchor + k × milliseconds`.
package struct Interval: Equatable, Sendable {
    /// Within ``ScheduleLimits/intervalMilliseconds``.
    package let milliseconds: UInt64
    /// The first occurrence.
    package let anchor: UInt64

    package init(milliseconds: UInt64, anchor: UInt64) throws(ScheduleError) {
        guard ScheduleLimits.intervalMilliseconds.contains(milliseconds) else { throw .interval(milliseconds) }
        self.milliseconds = milliseconds
        self.anchor = anchor
    }

    func next(after instant: UInt64) -> UInt64? {
        guard instant >= anchor else { return anchor }
        let (next, overflow) = instant.addingReportingOverflow(milliseconds - (instant - anchor) % milliseconds)
        return overflow ? nil : next
    }
}

/// A time zone: what its local clock shows at every instant, past and future.
///
/// It comes from a TZif file (RFC 8536) as the IANA's database has them: a table of past and near changes of the clock,
/// and behind the table a rule in POSIX's `TZ` form for all years to come. Instants are seconds since 1970-01-01 00:00
/// UTC, without leap seconds.
package struct TimeZoneRules: Equatable, Sendable {
    /// The name under which it was asked for.
    package let name: String
    /// The seconds east of UTC before the first change.
    let firstOffset: Int
    /// The changes of the clock, in order.
    let changes: [ClockChange]
    /// What holds from the last change on; nil when that goes on for ever.
    let rule: PosixRule?

    init(name: String, firstOffset: Int, changes: [ClockChange] = [], rule: PosixRule? = nil) {
        self.name = name
        self.firstOffset = firstOffset
        self.changes = changes
        self.rule = rule
    }

    package static let utc = TimeZoneRules(name: "UTC", firstOffset: 0)

    /// The seconds east of UTC at an instant.
    package func offset(at instant: Int) -> Int { period(at: instant).offset }

    /// The period without a change of the clock in which an instant lies.
    package func period(at instant: Int) -> ClockPeriod {
        let count = changes.partitioningIndex { $0.instant > instant }
        let last = count > 0 ? changes[count - 1] : ClockChange(instant: .min, offset: firstOffset)
        if count < changes.count {
            return ClockPeriod(start: last.instant, end: changes[count].instant, offset: last.offset)
        }
        guard let rule else { return ClockPeriod(start: last.instant, end: .max, offset: last.offset) }
        var period = rule.period(at: instant)
        period.start = max(period.start, last.instant)
        return period
    }
}

/// An instant from which on the local clock has another offset.
struct ClockChange: Equatable, Sendable {
    var instant: Int
    /// Seconds east of UTC.
    var offset: Int
}

/// A time in which the local clock runs evenly.
package struct ClockPeriod: Equatable, Sendable {
    /// Its first instant, `Int.min` where it has none.
    package var start: Int
    /// The instant behind it, `Int.max` where it has none.
    package var end: Int
    /// Seconds east of UTC.
    package var offset: Int
}

extension Array {
    /// The index of the first element that is in the second part, of an array whose first part doesn't satisfy the
    /// predicate and whose second part does.
    func partitioningIndex(where isInSecondPart: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = low + (high - low) / 2
            if isInSecondPart(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

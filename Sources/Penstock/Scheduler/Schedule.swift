import PenstockWire

/// When a scheduler adds its work.
public enum Schedule: Hashable, Sendable {
    /// At whole intervals: 1 ms to ten years.
    ///
    /// They are counted from the scheduler's `start`, else from when it was first set, and a late run moves no other.
    /// They are durations: where somebody sets the server's wall clock, none is made early, twice or not at all.
    case every(Duration)
    /// By a cron expression of five fields (minute, hour, day of the month, month, day of the week), or of six with
    /// seconds in front; or one of `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly`.
    ///
    /// The time zone is `UTC`, an offset such as `+02:00`, or one of the IANA's names, such as `Europe/Berlin`. Where
    /// its clocks are set forward or back, `30 2 * * *` still runs once on that day: right after the gap, or the first
    /// time of two. `*/15 * * * *` runs whenever the clock shows such a time.
    case cron(String, timeZone: String = "UTC")
}

/// What a scheduler does about runs that it could not make in time: the server was stopped, or the wall clock was set
/// forward. A run counts as missed after a minute.
public enum MissedRuns: Hashable, Sendable, CaseIterable {
    /// One run makes up for all of them, at once.
    case latest
    /// Each is made up for, one after the other: up to 1,000 of them.
    case all
    /// They are left out.
    case none
}

extension Schedule {
    func wire() throws(PenstockError) -> ScheduleFields {
        switch self {
        case .every(let interval):
            guard let milliseconds = interval.millisecondsRoundedUp, milliseconds > 0,
                milliseconds <= Limits.delayMillisecondsMax
            else {
                throw PenstockError(
                    .invalidSchedule,
                    "A schedule of every \(interval); 1 millisecond to ten years are allowed."
                )
            }
            return .every(milliseconds)
        case .cron(let expression, let timeZone):
            guard (1...Limits.cronBytesMax).contains(expression.utf8.count) else {
                throw PenstockError(
                    .invalidSchedule,
                    "A cron expression of \(expression.utf8.count) bytes; 1 to \(Limits.cronBytesMax) are allowed."
                )
            }
            guard (1...Limits.zoneBytesMax).contains(timeZone.utf8.count) else {
                throw PenstockError(
                    .invalidSchedule,
                    "A time zone of \(timeZone.utf8.count) bytes; 1 to \(Limits.zoneBytesMax) are allowed."
                )
            }
            return .cron(expression, zone: timeZone)
        }
    }

    init(_ schedule: ScheduleFields) {
        switch schedule {
        case .every(let milliseconds): self = .every(.milliseconds(milliseconds))
        case .cron(let expression, let zone): self = .cron(expression, timeZone: zone.isEmpty ? "UTC" : zone)
        }
    }
}

extension MissedRuns {
    var wire: PenstockWire.MissedRuns {
        switch self {
        case .latest: .latest
        case .all: .all
        case .none: .none
        }
    }

    init(_ rule: PenstockWire.MissedRuns) {
        switch rule {
        case .latest: self = .latest
        case .all: self = .all
        case .none: self = .none
        }
    }
}

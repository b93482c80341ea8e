/// A schedule as it was given: what is stored, and what a message carries. ``Schedule`` is what it becomes.
///
/// It holds texts, not what they mean: the rules of a time zone change from year to year, and a schedule that was
/// stored follows those of the machine that it runs on.
package enum ScheduleSource: Equatable, Sendable {
    case every(milliseconds: UInt64, anchor: UInt64)
    case cron(String, zone: String)

    /// The number of a case in a message or a record.
    package enum Kind: UInt8, Sendable, CaseIterable {
        case every = 1
        case cron = 2
    }

    package var kind: Kind {
        switch self {
        case .every: .every
        case .cron: .cron
        }
    }
}

extension Schedule {
    /// - Parameter zone: the rules of a time zone by its name.
    package init(
        _ source: ScheduleSource,
        zone rules: (_ name: String) throws(TimeZoneError) -> TimeZoneRules
    ) throws(ScheduleError) {
        switch source {
        case .every(let milliseconds, let anchor):
            self = .every(try Interval(milliseconds: milliseconds, anchor: anchor))
        case .cron(let text, let name):
            let expression: CronExpression
            do throws(CronError) { expression = try CronExpression(text) } catch { throw .cron(error) }
            do throws(TimeZoneError) { self = .cron(expression, try rules(name)) } catch { throw .zone(error) }
        }
    }

    /// What the schedule was made from, byte for byte.
    package var source: ScheduleSource {
        switch self {
        case .every(let interval): .every(milliseconds: interval.milliseconds, anchor: interval.anchor)
        case .cron(let expression, let zone): .cron(expression.text, zone: zone.name)
        }
    }
}

/// Why there is no such schedule.
package enum ScheduleError: Error, Equatable, Sendable {
    /// An interval outside ``ScheduleLimits/intervalMilliseconds``.
    case interval(UInt64)
    case cron(CronError)
    case zone(TimeZoneError)
}

extension ScheduleError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .interval(let milliseconds):
            "An interval of \(milliseconds) ms; \(ScheduleLimits.intervalMilliseconds.lowerBound) to "
                + "\(ScheduleLimits.intervalMilliseconds.upperBound) are allowed."
        case .cron(let error): error.description
        case .zone(let error): error.description
        }
    }
}

import PenstockEngine
import PenstockSchedule
import PenstockWire

/// Works out when schedulers run: by cron on the wall clock, by interval on the elapsed one.
///
/// It reads no clock, and files only where a time zone has one.
struct SchedulerCalendar {
    /// The rules of a time zone by its name.
    typealias Zones = (_ name: String) throws(TimeZoneError) -> TimeZoneRules

    /// The clocks of one moment, in milliseconds.
    struct Moment {
        var elapsed: UInt64
        var wall: UInt64

        subscript(clock: SchedulerClock) -> UInt64 { clock == .elapsed ? elapsed : wall }

        /// A wall time on one of the clocks; nil where it is over.
        func time(of wall: UInt64, by clock: SchedulerClock) -> UInt64? {
            guard wall >= self.wall else { return nil }
            return self[clock] + (wall - self.wall)
        }
    }

    /// Milliseconds after which an occurrence without a run counts as missed.
    static let missedAfterMilliseconds: UInt64 = 60_000
    /// Milliseconds until a scheduler is looked at again whose time zone can't be read.
    static let postponedMilliseconds: UInt64 = 60_000

    let zones: Zones

    /// When a scheduler with the rule, set now, runs first.
    ///
    /// - Throws: `invalidSchedule` for a schedule that can't be.
    func times(_ rule: SchedulerRule, at now: Moment) throws(WireError) -> SchedulerTimes {
        let clock = SchedulerClock(rule.schedule)
        var times = SchedulerTimes(due: 0)
        if let end = rule.end { times.end = now.time(of: end, by: clock) ?? 0 }
        let start = rule.start.flatMap { now.time(of: $0, by: clock) }
        switch rule.schedule {
        case .every(let interval):
            if let wall = rule.start {
                // The first one from now on, where the start is over.
                times.anchor = start ?? now.elapsed + (interval - 1 - (now.wall - wall - 1) % interval)
                times.due = times.anchor
            } else {
                times.anchor = now.elapsed
                times.due = now.elapsed + interval
            }
        case .cron:
            let schedule = try schedule(rule, times)
            times.due = schedule.next(after: start.map { $0 - min($0, 1) } ?? now.wall) ?? 0
        }
        if rule.immediately { times.due = start ?? now[clock] }
        return times
    }

    /// What is to be done about a scheduler that is due: nil where the clock went back and it is not.
    ///
    /// - Throws: `invalidSchedule` where its time zone can't be read any more.
    func run(_ scheduler: DueScheduler, at now: Moment) throws(WireError) -> SchedulerRun? {
        if scheduler.isOwed { return SchedulerRun(owedBy: scheduler) }
        let now = now[scheduler.clock]
        let times = scheduler.times
        guard times.due != 0, times.due <= now else { return nil }
        let schedule = try schedule(scheduler.rule, times)
        let next = schedule.next(after: now) ?? 0
        let last = min(now, times.end)
        let lateBelow = now - min(now, SchedulerCalendar.missedAfterMilliseconds)
        let isOnTime = times.due >= lateBelow || (schedule.next(after: lateBelow) ?? .max) <= last
        switch scheduler.rule.missedRuns {
        case .latest: return SchedulerRun(of: scheduler, next: next, wantsRun: true)
        case .none: return SchedulerRun(of: scheduler, next: next, wantsRun: isOnTime)
        case .all:
            let count = occurrences(schedule, from: times.due, upTo: last)
            return SchedulerRun(of: scheduler, next: next, missed: isOnTime ? count - 1 : count, wantsRun: isOnTime)
        }
    }

    /// When a scheduler will run, as wall times: an occurrence for each run, as if each could be made. The first may be over
    /// already, where its run is about to be made.
    ///
    /// - Throws: `invalidSchedule` where its time zone can't be read any more.
    func upcoming(_ runs: UpcomingRuns, count: Int, at now: Moment) throws(WireError) -> [UInt64] {
        let clock = SchedulerClock(runs.rule.schedule)
        let count = Int(min(UInt64(count), runs.left))
        guard runs.times.due != 0, count > 0 else { return [] }
        let schedule = try schedule(runs.rule, runs.times)
        var found: [UInt64] = []
        var occurrence = runs.times.due
        while occurrence <= runs.times.end {
            found.append(clock == .wall ? occurrence : now.wall + occurrence - min(occurrence, now.elapsed))
            // What comes after one that is over comes after now.
            guard found.count < count, let next = schedule.next(after: max(occurrence, now[clock])) else { break }
            occurrence = next
        }
        return found
    }

    /// A later look at a scheduler about which nothing can be said.
    func postponed(_ scheduler: DueScheduler, at now: Moment) -> SchedulerRun {
        let next = now[scheduler.clock] + SchedulerCalendar.postponedMilliseconds
        return SchedulerRun(of: scheduler, next: next, wantsRun: false)
    }

    /// How many occurrences there are, as many as a scheduler can owe.
    private func occurrences(_ schedule: Schedule, from first: UInt64, upTo last: UInt64) -> UInt32 {
        var count: UInt32 = 1
        var occurrence = first
        while count < Engine.owedRunsMax, let next = schedule.next(after: occurrence), next <= last {
            occurrence = next
            count += 1
        }
        return count
    }

    private func schedule(_ rule: SchedulerRule, _ times: SchedulerTimes) throws(WireError) -> Schedule {
        let source: ScheduleSource =
            switch rule.schedule {
            case .every(let interval): .every(milliseconds: interval, anchor: times.anchor)
            case .cron(let expression, let zone): .cron(expression, zone: zone.isEmpty ? "UTC" : zone)
            }
        do throws(ScheduleError) {
            return try Schedule(source, zone: zones)
        } catch {
            throw WireError(.invalidSchedule, error.sentence)
        }
    }
}

extension ScheduleError {
    /// What is wrong, as a sentence of its own.
    fileprivate var sentence: String {
        let text = description
        return text.prefix(1).uppercased() + text.dropFirst()
    }
}

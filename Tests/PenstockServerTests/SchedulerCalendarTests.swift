import PenstockSchedule
import PenstockWire
import TestSupport
import Testing
import UV

@testable import PenstockEngine
@testable import PenstockServer

@Suite(.computing) struct `The calendar of schedulers` {
    private typealias Moment = SchedulerCalendar.Moment

    private let calendar = SchedulerCalendar { name throws(TimeZoneError) in
        try TimeZoneDirectory(tzdir: EnvironmentVariable.value(of: "TZDIR")).rules(named: name) {
            try FileContents.read($0, bytesMax: ScheduleLimits.zoneFileBytesMax)
        }
    }

    private let day: UInt64 = 86_400_000
    private let hour: UInt64 = 3_600_000
    private let minute: UInt64 = 60_000

    /// The wall time of a time in UTC.
    private func wall(_ year: Int, _ month: Int, _ day: Int, _ hour: Int = 0, _ minute: Int = 0) -> UInt64 {
        let days = CivilDate(year: year, month: month, day: day).daysSinceEpoch
        return UInt64(days * 86_400 + hour * 3600 + minute * 60) * 1000
    }

    private func due(
        _ rule: SchedulerRule,
        at due: UInt64,
        anchor: UInt64 = 0,
        end: UInt64 = .max,
        isOwed: Bool = false
    ) -> DueScheduler {
        let times = SchedulerTimes(due: due, anchor: anchor, end: end)
        return DueScheduler(id: [1], revision: 7, rule: rule, times: times, isOwed: isOwed)
    }

    // MARK: The first occurrence

    @Test func `an interval begins when it is set, and runs first when it is over`() throws {
        let now = Moment(elapsed: 500, wall: 9000)
        let times = try calendar.times(SchedulerRule(schedule: .every(100)), at: now)
        #expect(times == SchedulerTimes(due: 600, anchor: 500, end: .max))
        let immediate = SchedulerRule(schedule: .every(100), immediately: true)
        #expect(try calendar.times(immediate, at: now) == SchedulerTimes(due: 500, anchor: 500, end: .max))
    }

    @Test(arguments: [(9040, 540), (9000, 500), (8999, 599), (8900, 500), (8850, 550), (8799, 599), (1, 501)])
    func `an interval with a start is counted from it, though that is over`(start: UInt64, due: UInt64) throws {
        let now = Moment(elapsed: 500, wall: 9000)
        let times = try calendar.times(SchedulerRule(schedule: .every(100), start: start), at: now)
        #expect(times.due == due && times.anchor == due)
    }

    @Test func `an interval that begins at once waits for its start`() throws {
        let now = Moment(elapsed: 500, wall: 9000)
        let later = SchedulerRule(schedule: .every(100), start: 9040, immediately: true)
        #expect(try calendar.times(later, at: now).due == 540)
        let over = SchedulerRule(schedule: .every(100), start: 8950, immediately: true)
        #expect(try calendar.times(over, at: now) == SchedulerTimes(due: 500, anchor: 550, end: .max))
    }

    @Test func `an end is a point of the scheduler's own clock`() throws {
        let now = Moment(elapsed: 500, wall: 9000)
        #expect(try calendar.times(SchedulerRule(schedule: .every(100), end: 9250), at: now).end == 750)
        #expect(try calendar.times(SchedulerRule(schedule: .every(100), end: 8000), at: now).end == 0)
        #expect(try calendar.times(SchedulerRule(schedule: .cron("@daily", zone: ""), end: 9250), at: now).end == 9250)
    }

    @Test func `cron runs first after now, at or after its start, or at once`() throws {
        let now = Moment(elapsed: 5, wall: wall(2027, 3, 1, 3))
        let daily = ScheduleFields.cron("0 3 * * *", zone: "")
        #expect(try calendar.times(SchedulerRule(schedule: daily), at: now).due == wall(2027, 3, 2, 3))
        let start = SchedulerRule(schedule: daily, start: wall(2027, 4, 1, 3))
        #expect(try calendar.times(start, at: now).due == wall(2027, 4, 1, 3))
        let over = SchedulerRule(schedule: daily, start: wall(2020, 1, 1))
        #expect(try calendar.times(over, at: now).due == wall(2027, 3, 2, 3))
        let immediate = SchedulerRule(schedule: daily, immediately: true)
        #expect(try calendar.times(immediate, at: now).due == now.wall)
    }

    @Test func `a schedule that can't be is refused with a sentence`() throws {
        let now = Moment(elapsed: 5, wall: 5)
        let wrong = [
            ("0 25 * * *", "UTC"), ("0 3 * * *", "Europe/Nowhere"), ("0 0 30 2 *", ""), ("0 3 * * *", "../etc"),
        ]
        for (expression, zone) in wrong {
            let rule = SchedulerRule(schedule: .cron(expression, zone: zone))
            let error = #expect(throws: WireError.self) { try calendar.times(rule, at: now) }
            #expect(error?.code == .invalidSchedule)
            #expect(error?.message.hasSuffix(".") == true)
        }
    }

    // MARK: Runs

    @Test func `where the clocks of a zone are set, a daily run is made once`() throws {
        let daily = SchedulerRule(schedule: .cron("30 2 * * *", zone: "Europe/Berlin"))
        var now = Moment(elapsed: 0, wall: wall(2027, 3, 27, 12))
        var next = try calendar.times(daily, at: now).due
        var found: [UInt64] = []
        for _ in 0..<3 {
            found.append(next)
            now.wall = next + 2
            next = try #require(try calendar.run(due(daily, at: next), at: now)).next
        }
        // 02:30 is left out on the 28th; after it the zone is two hours ahead of UTC.
        #expect(found == [wall(2027, 3, 28, 1), wall(2027, 3, 29, 0, 30), wall(2027, 3, 30, 0, 30)])
        now.wall = wall(2027, 10, 30, 12)
        next = try calendar.times(daily, at: now).due
        #expect(next == wall(2027, 10, 31, 0, 30))
        now.wall = next + 2
        #expect(try calendar.run(due(daily, at: next), at: now)?.next == wall(2027, 11, 1, 1, 30))
    }

    @Test func `an occurrence in its time has a run, whatever the rule is`() throws {
        for rule in MissedRuns.allCases {
            let scheduler = due(SchedulerRule(schedule: .every(hour), missedRuns: rule), at: hour)
            let run = try #require(try calendar.run(scheduler, at: Moment(elapsed: hour + minute, wall: 0)))
            #expect(run == SchedulerRun(of: scheduler, next: 2 * hour, missed: 0, wantsRun: true))
        }
    }

    @Test(arguments: [(MissedRuns.latest, UInt32(0), true), (.all, 5, false), (.none, 0, false)])
    func `of five missed runs one, five or none is made`(rule: MissedRuns, missed: UInt32, wantsRun: Bool) throws {
        let now = Moment(elapsed: 5 * hour + 2 * minute, wall: 5 * hour + 2 * minute)
        let every = due(SchedulerRule(schedule: .every(hour), missedRuns: rule), at: hour)
        let run = SchedulerRun(of: every, next: 6 * hour, missed: missed, wantsRun: wantsRun)
        #expect(try calendar.run(every, at: now) == run)
        let cron = due(SchedulerRule(schedule: .cron("@hourly", zone: ""), missedRuns: rule), at: hour)
        #expect(try calendar.run(cron, at: now)?.missed == missed)
        #expect(try calendar.run(cron, at: now)?.wantsRun == wantsRun)
    }

    @Test(arguments: [(MissedRuns.latest, UInt32(0)), (.all, 4), (.none, 0)])
    func `the last one of many is in its time`(rule: MissedRuns, missed: UInt32) throws {
        let scheduler = due(SchedulerRule(schedule: .every(hour), missedRuns: rule), at: hour)
        let run = try #require(try calendar.run(scheduler, at: Moment(elapsed: 5 * hour + 5, wall: 0)))
        #expect(run == SchedulerRun(of: scheduler, next: 6 * hour, missed: missed, wantsRun: true))
    }

    @Test func `occurrences behind the end are not missed`() throws {
        let rule = SchedulerRule(schedule: .every(hour), missedRuns: .all)
        let scheduler = due(rule, at: hour, end: 3 * hour)
        let run = try #require(try calendar.run(scheduler, at: Moment(elapsed: 9 * hour, wall: 0)))
        #expect(run.missed == 3 && !run.wantsRun)
    }

    @Test func `more missed runs than a scheduler can owe are not even counted`() throws {
        let rule = SchedulerRule(schedule: .every(1), missedRuns: .all)
        let run = try #require(try calendar.run(due(rule, at: 1), at: Moment(elapsed: 700 * day, wall: 0)))
        #expect(run.missed == Engine.owedRunsMax - 1 && run.wantsRun)
        let seconds = SchedulerRule(schedule: .cron("* * * * * *", zone: "Europe/Berlin"), missedRuns: .all)
        let many = try #require(try calendar.run(due(seconds, at: 1000), at: Moment(elapsed: 0, wall: 700 * day)))
        #expect(many.missed == Engine.owedRunsMax - 1)
    }

    // MARK: What is to come

    private func upcoming(_ rule: SchedulerRule, _ count: Int, left: UInt64 = .max, at now: Moment) throws -> [UInt64] {
        let runs = UpcomingRuns(rule: rule, times: try calendar.times(rule, at: now), left: left)
        return try calendar.upcoming(runs, count: count, at: now)
    }

    @Test func `what is to come follows the clocks of a zone as runs do`() throws {
        let daily = SchedulerRule(schedule: .cron("30 2 * * *", zone: "Europe/Berlin"))
        let spring = Moment(elapsed: 0, wall: wall(2027, 3, 26, 12))
        let days = [wall(2027, 3, 27, 1, 30), wall(2027, 3, 28, 1), wall(2027, 3, 29, 0, 30)]
        #expect(try upcoming(daily, 3, at: spring) == days)
        // The hour that comes twice has one occurrence of a certain time, and two of what follows the clock.
        let autumn = Moment(elapsed: 0, wall: wall(2027, 10, 30, 23, 50))
        #expect(try upcoming(daily, 2, at: autumn) == [wall(2027, 10, 31, 0, 30), wall(2027, 11, 1, 1, 30)])
        let halves = SchedulerRule(schedule: .cron("*/30 2 * * *", zone: "Europe/Berlin"))
        let twice = [(0, 0), (0, 30), (1, 0), (1, 30)].map { wall(2027, 10, 31, $0.0, $0.1) }
        #expect(try upcoming(halves, 4, at: autumn) == twice)
        let skipped = try upcoming(halves, 3, at: Moment(elapsed: 0, wall: wall(2027, 3, 27, 1, 10)))
        #expect(skipped == [wall(2027, 3, 27, 1, 30), wall(2027, 3, 29), wall(2027, 3, 29, 0, 30)])
    }

    @Test func `what is to come is what the runs make of it`() throws {
        for expression in ["*/7 * * * *", "0 3 L * *", "15 2 * * SUN", "59 23 29 2 *"] {
            let rule = SchedulerRule(schedule: .cron(expression, zone: "America/New_York"))
            var now = Moment(elapsed: 0, wall: wall(2027, 11, 6, 12))
            let found = try upcoming(rule, 20, at: now)
            var next = try calendar.times(rule, at: now).due
            for occurrence in found {
                #expect(occurrence == next)
                now.wall = next + 3
                next = try #require(try calendar.run(due(rule, at: next), at: now)).next
            }
            #expect(found.count == 20)
        }
    }

    @Test func `intervals to come are told as wall times, from the one that is due on`() throws {
        let now = Moment(elapsed: 5000, wall: 90_000)
        let rule = SchedulerRule(schedule: .every(100), start: 90_040)
        #expect(try upcoming(rule, 3, at: now) == [90_040, 90_140, 90_240])
        // Its run is about to be made; those that were missed are not told.
        let times = SchedulerTimes(due: 4100, anchor: 4100)
        let late = try calendar.upcoming(UpcomingRuns(rule: rule, times: times), count: 3, at: now)
        #expect(late == [90_000, 90_100, 90_200])
        let cron = SchedulerRule(schedule: .cron("@hourly", zone: ""))
        let over = UpcomingRuns(rule: cron, times: SchedulerTimes(due: hour))
        #expect(try calendar.upcoming(over, count: 2, at: Moment(elapsed: 0, wall: 9 * hour + 1)) == [hour, 10 * hour])
    }

    @Test func `what is to come ends with the limit, or with the end`() throws {
        let now = Moment(elapsed: 500, wall: 9000)
        let rule = SchedulerRule(schedule: .every(100), end: 9350)
        #expect(try upcoming(rule, 100, at: now) == [9100, 9200, 9300])
        #expect(try upcoming(rule, 100, left: 2, at: now) == [9100, 9200])
        #expect(try upcoming(rule, 100, left: 0, at: now) == [])
        #expect(try upcoming(rule, 1, at: now) == [9100])
        let ended = UpcomingRuns(rule: rule, times: SchedulerTimes(due: 0))
        #expect(try calendar.upcoming(ended, count: 5, at: now) == [])
    }

    @Test func `nothing is run where the wall clock went back, and an owed run needs no calendar`() throws {
        let cron = SchedulerRule(schedule: .cron("@daily", zone: "Europe/Nowhere"))
        #expect(try calendar.run(due(cron, at: 2 * day), at: Moment(elapsed: 9 * day, wall: day)) == nil)
        let owed = due(cron, at: 2 * day, isOwed: true)
        #expect(try calendar.run(owed, at: Moment(elapsed: 0, wall: day)) == SchedulerRun(owedBy: owed))
    }

    @Test func `a scheduler whose zone can't be read any more is looked at later`() throws {
        let scheduler = due(SchedulerRule(schedule: .cron("@daily", zone: "Europe/Nowhere")), at: day)
        let now = Moment(elapsed: 0, wall: day + 5)
        #expect(throws: WireError.self) { try calendar.run(scheduler, at: now) }
        let later = calendar.postponed(scheduler, at: now)
        #expect(later.next == now.wall + minute && !later.wantsRun && later.missed == 0)
    }
}

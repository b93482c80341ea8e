import PenstockSchedule
import TestSupport
import Testing

@Suite(.computing) struct ScheduleTests {
    @Test func `an interval does not drift`() throws {
        let schedule = Schedule.every(try Interval(milliseconds: 250, anchor: 1_000_007))
        #expect(schedule.next(after: 0) == 1_000_007)
        #expect(schedule.next(after: 1_000_006) == 1_000_007)
        #expect(schedule.next(after: 1_000_007) == 1_000_257)
        #expect(schedule.next(after: 1_000_256) == 1_000_257)
        // One that comes late, or after a long pause, is followed by one of the same series.
        #expect(schedule.next(after: 1_000_300) == 1_000_507)
        #expect(schedule.next(after: 9_999_999_999_999) == 10_000_000_000_007)
    }

    @Test func `every millisecond is an interval, and so are ten years`() throws {
        #expect(Schedule.every(try Interval(milliseconds: 1, anchor: 0)).next(after: 41) == 42)
        let longest = ScheduleLimits.intervalMilliseconds.upperBound
        #expect(Schedule.every(try Interval(milliseconds: longest, anchor: 5)).next(after: 5) == longest + 5)
    }

    @Test func `an interval ends before its numbers do`() throws {
        let schedule = Schedule.every(try Interval(milliseconds: 1000, anchor: 0))
        #expect(schedule.next(after: .max) == nil)
        #expect(schedule.next(after: .max - 1) == nil)
        #expect(Schedule.every(try Interval(milliseconds: 1, anchor: .max)).next(after: 0) == .max)
        #expect(Schedule.every(try Interval(milliseconds: 1, anchor: .max)).next(after: .max) == nil)
    }

    @Test(arguments: [0, 315_360_000_001, .max] as [UInt64])
    func `an interval beyond its bounds is refused`(_ milliseconds: UInt64) {
        let source = ScheduleSource.every(milliseconds: milliseconds, anchor: 0)
        #expect(refusal(of: source) == "An interval of \(milliseconds) ms; 1 to 315360000000 are allowed.")
    }

    @Test func `a schedule gives back what it was made from`() throws {
        let sources: [ScheduleSource] = [
            .every(milliseconds: 250, anchor: 7),
            .cron(" 0 9 * *\tmon-FRI ", zone: "Europe/Berlin"),
            .cron("@daily", zone: "+05:30"),
            .cron("@daily", zone: "UTC"),
        ]
        for source in sources {
            let schedule = try Schedule(source, zone: rules)
            #expect(schedule.source == source)
            #expect(schedule == (try Schedule(source, zone: rules)))
        }
        #expect(sources.map(\.kind) == [.every, .cron, .cron, .cron])
        #expect(ScheduleSource.Kind.allCases.map(\.rawValue) == [1, 2])
    }

    @Test func `a refusal says which part is wrong`() {
        #expect(refusal(of: .cron("0 61 * * *", zone: "UTC")) == "hour \"61\": 0 to 23 are allowed.")
        #expect(
            refusal(of: .cron("0 1 * * *", zone: "../etc"))
                == "time zone \"../etc\": a name like Europe/Berlin, UTC, or an offset like +02:00 is allowed."
        )
    }

    @Test func `a schedule follows the zone that it names`() throws {
        let source = ScheduleSource.cron("0 9 * * *", zone: "-03:30")
        #expect(try Schedule(source, zone: rules).next(after: 0) == instant("1970-01-01 12:30"))
    }

    private func rules(_ name: String) throws(TimeZoneError) -> TimeZoneRules {
        try directory.rules(named: name) { path in try zoneFile(path) }
    }

    private func refusal(of source: ScheduleSource) -> String? {
        do { _ = try Schedule(source, zone: rules) } catch { return error.description }
        return nil
    }
}

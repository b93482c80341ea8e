import PenstockSchedule
import TestSupport
import Testing

/// What happens where a clock is set forward or back. The times after which is looked are in UTC.
@Suite(.computing) struct ClockChangeTests {
    // Forward: Berlin 2025-03-30 02:00 to 03:00, New York 2025-03-09 02:00 to 03:00, Lord Howe 2025-10-05 02:00 to
    // 02:30; Cairo 2025-04-25 00:00 to 01:00; Apia leaves out 2011-12-30; Berlin 2090-03-26 02:00 to 03:00.
    @Test(arguments: [
        (
            "30 2 * * *", "Europe/Berlin", "2025-03-28 12:00",
            [
                "2025-03-29 02:30:00 +01:00", "2025-03-30 03:00:00 +02:00", "2025-03-31 02:30:00 +02:00",
            ]
        ),
        (
            "30 2 * * *", "America/New_York", "2025-03-08 00:00",
            [
                "2025-03-08 02:30:00 -05:00", "2025-03-09 03:00:00 -04:00", "2025-03-10 02:30:00 -04:00",
            ]
        ),
        (
            "15 2 * * *", "Australia/Lord_Howe", "2025-10-03 00:00",
            [
                "2025-10-04 02:15:00 +10:30", "2025-10-05 02:30:00 +11:00", "2025-10-06 02:15:00 +11:00",
            ]
        ),
        (
            "30 0 * * *", "Africa/Cairo", "2025-04-24 00:00",
            [
                "2025-04-25 01:00:00 +03:00", "2025-04-26 00:30:00 +03:00",
            ]
        ),
        (
            "0 9 * * *", "Pacific/Apia", "2011-12-29 12:00",
            [
                "2011-12-29 09:00:00 -10:00", "2011-12-31 00:00:00 +14:00", "2011-12-31 09:00:00 +14:00",
            ]
        ),
        (
            "30 2 * * *", "Europe/Berlin", "2090-03-25 12:00",
            [
                "2090-03-26 03:00:00 +02:00", "2090-03-27 02:30:00 +02:00",
            ]
        ),
    ])
    func `a certain time that is left out fires at the first instant behind the gap`(
        _ text: String,
        _ name: String,
        _ after: String,
        _ expected: [String]
    ) throws {
        #expect(try occurrences(text, in: zone(name), after: after, count: expected.count) == expected)
    }

    @Test func `all times of a gap fire once, together with the first time behind it`() throws {
        let berlin = try zone("Europe/Berlin")
        #expect(
            try occurrences("0,15,30,45 2,3 * * *", in: berlin, after: "2025-03-29 12:00", count: 3)
                == ["2025-03-30 03:00:00 +02:00", "2025-03-30 03:15:00 +02:00", "2025-03-30 03:30:00 +02:00"]
        )
        #expect(
            try occurrences("* 30 2 * * *", in: berlin, after: "2025-03-29 12:00", count: 2)
                == ["2025-03-30 03:00:00 +02:00", "2025-03-31 02:30:00 +02:00"]
        )
    }

    @Test func `a time of a gap does not fire again for one who asks later`() throws {
        let berlin = try zone("Europe/Berlin")
        let schedule = Schedule.cron(try CronExpression("30 2 * * *"), berlin)
        let change = instant("2025-03-30 01:00")
        #expect(schedule.next(after: change - 1) == change)
        #expect(schedule.next(after: change) == instant("2025-03-31 00:30"))
    }

    // Back: Berlin 2025-10-26 03:00 to 02:00, New York 2025-11-02 02:00 to 01:00, Lord Howe 2025-04-06 02:00 to 01:30;
    // Berlin 2090-10-29 03:00 to 02:00.
    @Test(arguments: [
        (
            "30 2 * * *", "Europe/Berlin", "2025-10-25 12:00",
            [
                "2025-10-26 02:30:00 +02:00", "2025-10-27 02:30:00 +01:00",
            ]
        ),
        (
            "0 2,3 * * *", "Europe/Berlin", "2025-10-25 12:00",
            [
                "2025-10-26 02:00:00 +02:00", "2025-10-26 03:00:00 +01:00", "2025-10-27 02:00:00 +01:00",
            ]
        ),
        (
            "30 1 * * *", "America/New_York", "2025-11-01 12:00",
            [
                "2025-11-02 01:30:00 -04:00", "2025-11-03 01:30:00 -05:00",
            ]
        ),
        (
            "45 1 * * *", "Australia/Lord_Howe", "2025-04-05 00:00",
            [
                "2025-04-06 01:45:00 +11:00", "2025-04-07 01:45:00 +10:30",
            ]
        ),
        (
            "30 2 * * *", "Europe/Berlin", "2090-10-28 12:00",
            [
                "2090-10-29 02:30:00 +02:00", "2090-10-30 02:30:00 +01:00",
            ]
        ),
    ])
    func `a certain time that comes twice fires the first time only`(
        _ text: String,
        _ name: String,
        _ after: String,
        _ expected: [String]
    ) throws {
        #expect(try occurrences(text, in: zone(name), after: after, count: expected.count) == expected)
    }

    @Test func `in the second of two equal hours no certain time fires`() throws {
        let schedule = Schedule.cron(try CronExpression("0,30 2 * * *"), try zone("Europe/Berlin"))
        let back = instant("2025-10-26 01:00")
        for minutes in stride(from: 0, to: 60, by: 5) as StrideTo<UInt64> {
            #expect(schedule.next(after: back + minutes * 60_000) == instant("2025-10-27 01:00"))
        }
        #expect(schedule.next(after: back - 1) == instant("2025-10-27 01:00"))
        #expect(schedule.next(after: back - 1_800_001) == back - 1_800_000)
    }

    @Test(arguments: [
        (
            "*/30 * * * *", "Europe/Berlin", "2025-03-30 00:15",
            [
                "2025-03-30 01:30:00 +01:00", "2025-03-30 03:00:00 +02:00", "2025-03-30 03:30:00 +02:00",
            ]
        ),
        (
            "*/30 * * * *", "Europe/Berlin", "2025-10-26 00:15",
            [
                "2025-10-26 02:30:00 +02:00", "2025-10-26 02:00:00 +01:00", "2025-10-26 02:30:00 +01:00",
                "2025-10-26 03:00:00 +01:00",
            ]
        ),
        (
            "0 * * * *", "America/New_York", "2025-11-02 04:30",
            [
                "2025-11-02 01:00:00 -04:00", "2025-11-02 01:00:00 -05:00", "2025-11-02 02:00:00 -05:00",
            ]
        ),
        (
            "*/20 2 * * *", "America/New_York", "2025-03-08 12:00",
            [
                "2025-03-10 02:00:00 -04:00", "2025-03-10 02:20:00 -04:00",
            ]
        ),
        (
            "*/15 * * * *", "Australia/Lord_Howe", "2025-10-04 15:10",
            [
                "2025-10-05 01:45:00 +10:30", "2025-10-05 02:30:00 +11:00", "2025-10-05 02:45:00 +11:00",
            ]
        ),
        (
            "*/15 * * * *", "Australia/Lord_Howe", "2025-04-05 14:40",
            [
                "2025-04-06 01:45:00 +11:00", "2025-04-06 01:30:00 +10:30", "2025-04-06 01:45:00 +10:30",
                "2025-04-06 02:00:00 +10:30",
            ]
        ),
        (
            "@hourly", "Europe/Berlin", "2090-10-28 23:30",
            [
                "2090-10-29 02:00:00 +02:00", "2090-10-29 02:00:00 +01:00", "2090-10-29 03:00:00 +01:00",
            ]
        ),
    ])
    func `what fires as often as it can follows the clock`(
        _ text: String,
        _ name: String,
        _ after: String,
        _ expected: [String]
    ) throws {
        #expect(try occurrences(text, in: zone(name), after: after, count: expected.count) == expected)
    }

    @Test func `every quarter of an hour stays that for a year, whatever the clock does`() throws {
        for name in ["Europe/Berlin", "America/New_York"] {
            let schedule = Schedule.cron(try CronExpression("*/15 * * * *"), try zone(name))
            var last = instant("2025-01-01 00:00")
            var uneven = 0
            for _ in 0..<4 * 24 * 365 {
                let next = try #require(schedule.next(after: last))
                if next - last != 900_000 { uneven += 1 }
                last = next
            }
            #expect(uneven == 0)
        }
    }

    @Test func `a daily time fires once on each of the days of thirty years`() throws {
        for name in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Africa/Cairo"] {
            let zone = try zone(name)
            let schedule = Schedule.cron(try CronExpression("30 2 * * *"), zone)
            var last = instant("2020-01-01 12:00")
            var days: Set<Int> = []
            let count = 30 * 365
            for _ in 0..<count {
                last = try #require(schedule.next(after: last))
                days.insert((Int(last / 1000) + zone.offset(at: Int(last / 1000))) / 86_400)
            }
            #expect(days.count == count && days.max()! - days.min()! == count - 1)
        }
    }

    @Test func `a time that the clock never shows never fires`() throws {
        // Each year on the same day the clock goes from 02:00 to 03:00, and back in autumn.
        let rules = try TimeZoneRules(name: "Test", tzif: TZifBytes(rule: "AAA0BBB,J81/2,J300/3").bytes)
        let shown = Schedule.cron(try CronExpression("*/5 2 22 3 *"), rules)
        #expect(shown.next(after: instant("2025-01-01 00:00")) == nil)
        let reached = Schedule.cron(try CronExpression("5 2 22 3 *"), rules)
        #expect(reached.next(after: instant("2025-01-01 00:00")) == instant("2025-03-22 02:00"))
    }
}

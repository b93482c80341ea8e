import PenstockSchedule
import TestSupport
import Testing

@Suite(.computing) struct CronNextTests {
    @Test(arguments: [
        // Every part of a time carries into the next one.
        ("* * * * *", "2025-06-15 12:34:56", ["2025-06-15 12:35:00", "2025-06-15 12:36:00"]),
        ("* * * * * *", "2025-12-31 23:59:58", ["2025-12-31 23:59:59", "2026-01-01 00:00:00"]),
        ("*/20 * * * * *", "2025-06-15 12:34:41", ["2025-06-15 12:35:00", "2025-06-15 12:35:20"]),
        ("30 59 23 * * *", "2025-06-15 23:59:30", ["2025-06-16 23:59:30"]),
        ("15,45 9-10 * * *", "2025-06-15 10:15", ["2025-06-15 10:45:00", "2025-06-16 09:15:00"]),
        ("0 0 * * *", "2025-06-15 00:00", ["2025-06-16 00:00:00"]),
        // Days of the week, and both fields of days.
        ("0 9 * * MON-FRI", "2025-06-13 09:00", ["2025-06-16 09:00:00", "2025-06-17 09:00:00"]),
        ("0 0 13 * FRI", "2025-06-10 00:00", ["2025-06-13 00:00:00", "2025-06-20 00:00:00"]),
        ("0 0 13 * 5", "2025-07-05 00:00", ["2025-07-11 00:00:00", "2025-07-13 00:00:00", "2025-07-18 00:00:00"]),
        ("0 0 */2 * MON", "2025-06-01 00:00", ["2025-06-09 00:00:00", "2025-06-23 00:00:00", "2025-07-07 00:00:00"]),
        ("0 0 ? * 0", "2025-06-01 00:00", ["2025-06-08 00:00:00"]),
        // Ends of months.
        ("0 0 31 * *", "2025-01-31 00:00", ["2025-03-31 00:00:00", "2025-05-31 00:00:00", "2025-07-31 00:00:00"]),
        ("0 0 L * *", "2025-01-31 00:00", ["2025-02-28 00:00:00", "2025-03-31 00:00:00", "2025-04-30 00:00:00"]),
        ("0 0 15,L 2 *", "2024-01-01 00:00", ["2024-02-15 00:00:00", "2024-02-29 00:00:00", "2025-02-15 00:00:00"]),
        ("0 0 L 11 FRI", "2025-11-21 00:00", ["2025-11-28 00:00:00", "2025-11-30 00:00:00", "2026-11-06 00:00:00"]),
        ("59 23 30 4,6 *", "2025-05-01 00:00", ["2025-06-30 23:59:00", "2026-04-30 23:59:00"]),
        // Leap years.
        ("0 0 29 2 *", "2024-02-28 23:59:59", ["2024-02-29 00:00:00", "2028-02-29 00:00:00"]),
        ("0 0 29 2 *", "2096-02-29 00:00", ["2104-02-29 00:00:00"]),
        ("0 0 29 2 *", "1999-01-01 00:00", ["2000-02-29 00:00:00"]),
        ("0 0 29 2 */7", "2088-02-29 00:00", ["2128-02-29 00:00:00"]),
        ("0 0 1 3 *", "2023-12-01 00:00", ["2024-03-01 00:00:00", "2025-03-01 00:00:00"]),
        ("0 0 1 3,9 *", "2025-04-15 00:00", ["2025-09-01 00:00:00", "2026-03-01 00:00:00"]),
        ("@yearly", "2024-01-01 00:00", ["2025-01-01 00:00:00", "2026-01-01 00:00:00"]),
        ("@weekly", "2025-06-15 00:00", ["2025-06-22 00:00:00"]),
    ])
    func `an expression fires next in UTC`(_ text: String, _ after: String, _ expected: [String]) throws {
        #expect(try occurrences(text, after: after, count: expected.count) == expected)
    }

    @Test func `the next occurrence is after the instant, to the millisecond`() throws {
        let schedule = Schedule.cron(try CronExpression("0 12 * * *"), .utc)
        let noon = instant("2025-06-15 12:00")
        #expect(schedule.next(after: noon - 1) == noon)
        #expect(schedule.next(after: noon) == noon + 86_400_000)
        #expect(schedule.next(after: noon + 1) == noon + 86_400_000)
        #expect(schedule.next(after: noon - 86_400_000 + 999) == noon)
    }

    @Test func `time begins in 1970 and ends with the year 9999`() throws {
        let schedule = Schedule.cron(try CronExpression("@yearly"), .utc)
        #expect(schedule.next(after: 0) == instant("1971-01-01 00:00"))
        #expect(schedule.next(after: instant("9998-12-31 23:59:59")) == instant("9999-01-01 00:00"))
        #expect(schedule.next(after: instant("9999-01-01 00:00")) == nil)
        for last in [instant("9999-12-31 23:59:59"), instant("10000-01-01 00:00"), .max / 1000, .max - 1, .max] {
            #expect(schedule.next(after: last) == nil)
        }
    }

    @Test(arguments: [
        ("* * * * *", 4), ("59 59 23 31 12 *", 4), ("0 0 29 2 *", 14), ("0 0 29 2 */7", 90), ("0 0 31 12 *", 4),
        ("0 0 L 1 MON", 4), ("0 0 */31 * 0", 40),
    ])
    func `a search takes few steps, however far off the next time is`(_ text: String, _ bound: Int) throws {
        let expression = try CronExpression(text)
        var most = 0
        for start in stride(from: seconds("2087-01-01 00:00"), to: seconds("2090-01-01 00:00"), by: 12_345_67) {
            var search = CronSearch(expression)
            #expect(search.next(from: start) != nil)
            most = max(most, search.steps)
        }
        #expect(most <= bound)
    }
}

import PenstockSchedule
import TestSupport
import Testing

@Suite(.computing) struct CivilDateTests {
    @Test func `every day of a thousand years follows the one before it`() {
        var expected = CivilDate(year: 1600, month: 1, day: 1)
        var weekday = 6  // a Saturday
        let first = expected.daysSinceEpoch
        #expect(first == -135_140)
        var mistakes = 0
        for days in first..<first + 365_243 {
            let date = CivilDate(daysSinceEpoch: days)
            if date != expected || date.daysSinceEpoch != days || date.weekday != weekday { mistakes += 1 }
            weekday = (weekday + 1) % 7
            expected.day += 1
            if expected.day > CivilDate.days(inMonth: expected.month, of: expected.year) {
                expected = CivilDate(year: expected.year, month: expected.month + 1, day: 1)
            }
            if expected.month > 12 { expected = CivilDate(year: expected.year + 1, month: 1, day: 1) }
        }
        #expect(mistakes == 0)
        #expect(expected == CivilDate(year: 2600, month: 1, day: 1))
    }

    @Test func `a century is a leap year every fourth time`() {
        #expect(
            [1900, 1996, 2000, 2023, 2024, 2100].map { CivilDate.isLeap($0) } == [
                false, true, true, false, true, false,
            ]
        )
    }
}

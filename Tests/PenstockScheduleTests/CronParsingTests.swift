import PenstockSchedule
import TestSupport
import Testing

@Suite(.computing) struct CronParsingTests {
    @Test(arguments: [
        ("* * * * *", "*/1 * * * *"),
        ("0 0 * * SUN", "0 0 * * 7"),
        ("0 0 * * sun-Tue", "0 0 * * 0-2"),
        ("0 0 * * FRI-SUN", "0 0 * * 5,6,0"),
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 0 1 jan-MAR,Dec *", "0 0 1 1,2,3,12 *"),
        ("0 0 ? * 1", "0 0 * * 1"),
        ("0 0 1 * ?", "0 0 1 * *"),
        ("5/20 * * * *", "5,25,45 * * * *"),
        ("10-30/10 * * * *", "10,20,30 * * * *"),
        ("*/25,7 * * * *", "0,7,25,50 * * * *"),
        ("0 */7 * * *", "0 0,7,14,21 * * *"),
        ("0 0 0 1 1 *", "0 0 1 1 *"),
        (" \t0  0 \t1 1 * ", "0 0 1 1 *"),
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@Midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@ANNUALLY", "0 0 1 1 *"),
    ])
    func `two ways to write a schedule mean the same`(_ first: String, _ second: String) throws {
        let after = "2024-02-27 23:11:12"
        #expect(try occurrences(first, after: after, count: 60) == occurrences(second, after: after, count: 60))
    }

    @Test(arguments: [
        ("", "The cron expression is empty; five or six fields are allowed."),
        ("  ", "The cron expression is empty; five or six fields are allowed."),
        (
            "* * * *",
            "The cron expression has 4 fields; five (minute, hour, day of month, month, day of week) or six (second "
                + "first) are allowed."
        ),
        (
            "*",
            "The cron expression has 1 field; five (minute, hour, day of month, month, day of week) or six (second "
                + "first) are allowed."
        ),
        (
            "@reboot",
            "\"@reboot\" is not known; @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly are allowed."
        ),
        ("61 * * * *", "minute \"61\": 0 to 59 are allowed."),
        ("60 0 * * * *", "second \"60\": 0 to 59 are allowed."),
        ("* 24 * * *", "hour \"24\": 0 to 23 are allowed."),
        ("* * 0 * *", "day of month \"0\": 1 to 31, and L for the last day, are allowed."),
        ("* * 15W * *", "day of month \"15W\": 1 to 31, and L for the last day, are allowed."),
        ("* * L-3 * *", "day of month \"L-3\": 1 to 31, and L for the last day, are allowed."),
        ("* * * 13 *", "month \"13\": 1 to 12 or JAN to DEC are allowed."),
        ("* * * MON *", "month \"MON\": 1 to 12 or JAN to DEC are allowed."),
        ("* * * * 8", "day of week \"8\": 0 to 7 or SUN to SAT are allowed."),
        ("* * * * 5L", "day of week \"5L\": 0 to 7 or SUN to SAT are allowed."),
        ("* * * * MONDAY", "day of week \"MONDAY\": 0 to 7 or SUN to SAT are allowed."),
        ("? * * * *", "minute \"?\": 0 to 59 are allowed."),
        ("-5 * * * *", "minute \"-5\": 0 to 59 are allowed."),
        ("+5 * * * *", "minute \"+5\": 0 to 59 are allowed."),
        ("1,,2 * * * *", "minute \"\": 0 to 59 are allowed."),
        ("1- * * * *", "minute \"1-\": 0 to 59 are allowed."),
        ("*-5 * * * *", "minute \"*-5\": 0 to 59 are allowed."),
        ("** * * * *", "minute \"**\": 0 to 59 are allowed."),
        ("99999999999999999999 * * * *", "minute \"99999999999999999999\": 0 to 59 are allowed."),
        ("* 22-4 * * *", "hour \"22-4\": a range must not end before it starts; 0 to 23 are allowed."),
        ("*/0 * * * *", "minute \"*/0\": steps of 1 to 59 are allowed."),
        ("*/60 * * * *", "minute \"*/60\": steps of 1 to 59 are allowed."),
        ("*/5/5 * * * *", "minute \"*/5/5\": steps of 1 to 59 are allowed."),
        ("* */x * * *", "hour \"*/x\": steps of 1 to 23 are allowed."),
        ("\u{1b}\n * * * *", #"minute "\u{1B}\n": 0 to 59 are allowed."#),
        ("٣ * * * *", #"minute "\u{0663}": 0 to 59 are allowed."#),
        ("0 0 30 2 *", "\"0 0 30 2 *\" never fires: no month that it names has such a day."),
        ("0 0 31 2,4,6,9,11 *", "\"0 0 31 2,4,6,9,11 *\" never fires: no month that it names has such a day."),
        ("0 0 30 FEB ?", "\"0 0 30 FEB ?\" never fires: no month that it names has such a day."),
    ])
    func `an expression that is none is refused with what is allowed`(_ text: String, _ sentence: String) {
        #expect(refusal(of: text) == sentence)
    }

    @Test func `an expression has at most 255 bytes`() throws {
        let list = Array(repeating: "5", count: 124).joined(separator: ",")
        let longest = list + " * * * *"
        #expect(longest.utf8.count == 255)
        #expect(try CronExpression(longest).text == longest)
        #expect(refusal(of: longest + " ") == "A cron expression of 256 bytes; at most 255 are allowed.")
        #expect(refusal(of: String(repeating: "x", count: 10_000_000)) != nil)
    }

    @Test(arguments: ["0 0 29 2 *", "0 0 30 2 MON", "0 0 L 2 *", "0 0 31 2,3 *", "0 0 29 2 */7"])
    func `an expression that fires seldom is allowed`(_ text: String) throws {
        #expect(try occurrences(text, after: "2096-03-01 00:00", count: 3).count == 3)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `no text traps, and what is accepted fires`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let pieces = "0 1 5 7 9 12 29 31 59 60 * */ - , / ? L SUN jan @ @daily 2 \u{0} é x".split(separator: " ")
        for _ in 0..<2000 {
            var text = ""
            for _ in 0...random.number(0...12) {
                text += random.one(of: pieces) + (random.chance(45) ? " " : "")
            }
            guard let expression = try? CronExpression(text) else { continue }
            if Schedule.cron(expression, .utc).next(after: 1_700_000_000_000) == nil { Issue.record("\(text)") }
        }
    }

    private func refusal(of text: String) -> String? {
        do { _ = try CronExpression(text) } catch { return error.description }
        return nil
    }
}

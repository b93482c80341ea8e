import PenstockSchedule
import TestSupport
import Testing

@Suite(.computing) struct TZifTests {
    @Test(arguments: [
        // Days that count 29 February, and days that don't.
        ("AAA0BBB,J60/0,J61/0", "2024-03-01 00:00", true), ("AAA0BBB,J60/0,J61/0", "2024-02-29 23:59", false),
        ("AAA0BBB,J59/0,J60/0", "2024-02-28 00:00", true), ("AAA0BBB,J59/0,J60/0", "2024-02-29 22:00", true),
        ("AAA0BBB,59/0,60/0", "2024-02-29 00:00", true), ("AAA0BBB,59/0,60/0", "2023-03-01 00:00", true),
        ("AAA0BBB,59/0,60/0", "2023-02-28 23:59", false), ("AAA0BBB,0/0,J365/23", "2024-01-01 00:00", true),
        // Summer for ever, and summer across the new year.
        ("XXX3EDT4,0/0,J365/23", "2025-01-01 02:59", true), ("XXX3EDT4,0/0,J365/23", "2025-01-01 03:00", true),
        ("XXX3EDT4,0/0,J365/23", "2024-12-31 23:59", true), ("XXX3EDT4,0/0,J365/23", "2025-07-01 00:00", true),
        ("AAA0BBB,M10.1.0,M4.1.0/3", "2025-01-01 00:00", true), ("AAA0BBB,M10.1.0,M4.1.0/3", "2025-07-01 00:00", false),
        // The first, the fourth and the last weekday, and times beside their day.
        ("AAA0BBB,M6.1.0/0,M6.1.1/1", "2025-06-01 00:00", true),
        ("AAA0BBB,M6.4.6/0,M6.5.0/1", "2025-06-28 00:00", true),
        ("AAA0BBB,M2.5.4/0,M2.5.5/1", "2024-02-29 00:00", true),
        ("AAA0BBB,M2.5.4/0,M2.5.5/1", "2024-02-28 23:59", false),
        ("AAA0BBB,M3.5.0/-2,M10.5.0", "2025-03-29 22:00", true),
        ("AAA0BBB,M3.5.0/-2,M10.5.0", "2025-03-29 21:59", false),
        ("AAA0BBB,M3.4.4/50,M10.4.4/50", "2025-03-29 02:00", true),
        ("AAA0BBB,M3.4.4/50,M10.4.4/50", "2025-03-29 01:59", false),
        ("AAA0BBB,J1/-167,J2/0", "2024-12-25 01:00", true), ("AAA0BBB,J1/-167,J2/0", "2024-12-25 00:59", false),
        ("AAA0BBB,J1,J365/167", "2025-01-05 00:00", true),
    ])
    func `a rule says when summer is`(_ rule: String, _ time: String, _ isSummer: Bool) throws {
        let zone = try TimeZoneRules(name: "Test", tzif: TZifBytes(rule: rule).bytes)
        let standard = rule.hasPrefix("XXX") ? -10_800 : 0
        let summer = rule.hasPrefix("XXX") ? -14_400 : 3600
        #expect(zone.offset(at: seconds(time)) == (isSummer ? summer : standard))
    }

    @Test(arguments: [
        ("UTC0", 0), ("CET-1", 3600), ("<+0530>-5:30", 19_800), ("<-03>3", -10_800), ("AAA+5:00:01", -18_001),
        ("AAA-24:59:59", 89_999), ("", 1800),
    ])
    func `a rule without summer is an offset, and an empty one goes on with the last`(_ rule: String, _ offset: Int)
        throws
    {
        let zone = try TimeZoneRules(name: "Test", tzif: TZifBytes(offsets: [1800], rule: rule).bytes)
        #expect(zone.offset(at: seconds("2050-01-01 00:00")) == offset)
    }

    @Test func `the table holds before its last change, the rule from there on`() throws {
        let file = TZifBytes(
            offsets: [600, -600, 1200],
            changes: [(-1 << 59, 1), (1000, 2), (2000, 0)],
            rule: "AAA-3"
        )
        let zone = try TimeZoneRules(name: "Test", tzif: file.bytes)
        #expect(
            [Int.min, -1 << 59, 999, 1000, 1999, 2000, Int.max].map { zone.offset(at: $0) }
                == [600, -600, -600, 1200, 1200, 10_800, 10_800]
        )
    }

    @Test(arguments: [
        (TZifBytes(version: 0), "it is of version 1, and version 2 or later is needed"),
        (TZifBytes(leapSeconds: 1), "it counts leap seconds"),
        (TZifBytes(offsets: []), "it has 0 types of time, and 1 to 256 are allowed"),
        (TZifBytes(offsets: [93_600]), "it has an offset of a day and more"),
        (TZifBytes(offsets: [Int(Int32.min)]), "it has an offset of a day and more"),
        (TZifBytes(changes: [(5, 1)]), "it has a change to a type of time that it lacks"),
        (TZifBytes(changes: [(5, 0), (5, 0)]), "its changes of the clock are not in order"),
        (TZifBytes(changes: [(.max, 0)]), "it has a change of the clock in no year"),
        (TZifBytes(changes: [(.min, 0)]), "it has a change of the clock in no year"),
        (TZifBytes(rule: "AAA0BBB"), "its rule for the future is not POSIX's"),
        (TZifBytes(rule: "AAA0BBB,M3.5.0,M10.5.0,"), "its rule for the future is not POSIX's"),
        (TZifBytes(rule: "AAA0BBB,M13.5.0,M10.5.0"), "its rule for the future is not POSIX's"),
        (TZifBytes(rule: "AAA0BBB,J0,J5"), "its rule for the future is not POSIX's"),
        (TZifBytes(rule: "AAA0BBB,M3.5.0/168,M10.5.0"), "its rule for the future is not POSIX's"),
        (TZifBytes(rule: "AA0"), "its rule for the future is not POSIX's"),
        (TZifBytes(rule: "AAA25"), "its rule for the future is not POSIX's"),
        (TZifBytes(rule: "AAA9999999999999999999"), "its rule for the future is not POSIX's"),
        (TZifBytes(rule: "<AAA0"), "its rule for the future is not POSIX's"),
    ])
    func `a file that is not usable is refused with the reason`(_ file: TZifBytes, _ reason: String) {
        #expect(throws: TimeZoneError.damaged("Test", reason: reason)) {
            try TimeZoneRules(name: "Test", tzif: file.bytes)
        }
    }

    @Test func `a file that is no zone's, or too large, is refused`() throws {
        #expect(throws: TimeZoneError.damaged("Test", reason: "it is not a TZif file")) {
            try TimeZoneRules(name: "Test", tzif: Array("# a table of zones".utf8))
        }
        #expect(throws: TimeZoneError.damaged("Test", reason: "it is too large")) {
            try TimeZoneRules(name: "Test", tzif: TZifBytes().bytes + Array(repeating: 0, count: 65_536))
        }
    }

    @Test func `counts of four thousand millions are a file that ends too early`() throws {
        for place in 20..<44 {
            for header in [0, 51] {
                var bytes = TZifBytes(changes: [(5, 0)]).bytes
                bytes[header + place] = 0xff
                _ = try? TimeZoneRules(name: "Test", tzif: bytes)
            }
        }
        var bytes = TZifBytes().bytes
        for place in 20..<44 { bytes[place] = 0xff }
        #expect(throws: TimeZoneError.damaged("Test", reason: "it ends too early")) {
            try TimeZoneRules(name: "Test", tzif: bytes)
        }
    }

    @Test(arguments: ["Europe/Berlin", "Australia/Lord_Howe", "Asia/Gaza", "UTC"])
    func `a file cut at any length is refused`(_ name: String) throws {
        let bytes = try file(name)
        for length in 0..<bytes.count {
            #expect(throws: TimeZoneError.self) { try TimeZoneRules(name: name, tzif: Array(bytes.prefix(length))) }
        }
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `a file with random bytes changed never traps, and neither does what it says`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let files = try ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"].map(file)
        let expressions = try ["30 2 * * *", "*/30 2 * * *", "0 0 29 2 *", "*/20 * L * SUN"].map {
            try CronExpression($0)
        }
        var accepted = 0
        for _ in 0..<600 {
            var bytes = random.one(of: files)
            for _ in 0...random.number(0...4) { mutate(&bytes, &random) }
            guard let zone = try? TimeZoneRules(name: "Test", tzif: bytes) else { continue }
            accepted += 1
            let schedule = Schedule.cron(random.one(of: expressions), zone)
            for _ in 0..<4 {
                let start = UInt64(random.number(0...5_000_000_000_000))
                if let next = schedule.next(after: start) { #expect(next > start) }
            }
        }
        #expect(accepted > 0 && accepted < 600)
    }

    /// Changes a byte, a bit, or a number to an extreme; repeats or removes a piece; half of the time near the end,
    /// where the rule is.
    private func mutate(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        guard bytes.count > 40 else { return }
        let place =
            random.chance(50) ? random.number(bytes.count - 36...bytes.count - 1) : random.number(0...bytes.count - 1)
        switch random.number(0...5) {
        case 0: bytes[place] = UInt8(random.number(0...255))
        case 1: bytes[place] ^= 1 << UInt8(random.number(0...7))
        case 2:
            let extreme: UInt8 = random.chance(50) ? 0xff : 0
            for index in place..<min(place + random.one(of: [1, 2, 4, 8]), bytes.count) { bytes[index] = extreme }
        case 3: bytes.removeSubrange(place..<min(place + random.number(1...8), bytes.count))
        case 4: bytes.insert(contentsOf: bytes[place..<min(place + 9, bytes.count)], at: place)
        default: bytes[place] = random.one(of: Array("0123456789,./:-+JM<>\n".utf8))
        }
    }

    private func file(_ name: String) throws -> [UInt8] { try #require(try zoneFile("\(directory.path)/\(name)")) }
}

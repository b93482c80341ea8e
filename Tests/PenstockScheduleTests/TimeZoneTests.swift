import PenstockSchedule
import TestSupport
import Testing

@Suite(.computing) struct TimeZoneTests {
    @Test(arguments: [
        ("Europe/Berlin", "2025-03-30 00:59:59", 60), ("Europe/Berlin", "2025-03-30 01:00", 120),
        ("Europe/Berlin", "2025-10-26 00:59:59", 120), ("Europe/Berlin", "2025-10-26 01:00", 60),
        ("Europe/Berlin", "1970-01-01 00:00", 60), ("Europe/Berlin", "2090-03-26 00:59:59", 60),
        ("Europe/Berlin", "2090-03-26 01:00", 120), ("Europe/Berlin", "2090-10-29 01:00", 60),
        ("America/New_York", "2025-03-09 06:59:59", -300), ("America/New_York", "2025-03-09 07:00", -240),
        ("America/New_York", "2025-11-02 05:59:59", -240), ("America/New_York", "2025-11-02 06:00", -300),
        ("Australia/Lord_Howe", "2025-04-05 14:59:59", 660), ("Australia/Lord_Howe", "2025-04-05 15:00", 630),
        ("Australia/Lord_Howe", "2025-10-04 15:29:59", 630), ("Australia/Lord_Howe", "2025-10-04 15:30", 660),
        // Winter time is the one that differs from the standard in Ireland; a change on a Saturday evening in Nuuk.
        ("Europe/Dublin", "2089-07-01 00:00", 60), ("Europe/Dublin", "2089-12-01 00:00", 0),
        ("America/Nuuk", "2026-03-29 00:59:59", -120), ("America/Nuuk", "2026-03-29 01:00", -60),
        // The day that Samoa left out.
        ("Pacific/Apia", "2011-12-30 09:59:59", -600), ("Pacific/Apia", "2011-12-30 10:00", 840),
        // No change at all.
        ("Asia/Kolkata", "2090-07-01 00:00", 330), ("Etc/GMT+5", "2025-07-01 00:00", -300),
        ("UTC", "2090-07-01 00:00", 0), ("+02:00", "2025-07-01 00:00", 120), ("-18:00", "2025-07-01 00:00", -1080),
        ("+00:00", "2025-07-01 00:00", 0), ("-09:30", "2025-07-01 00:00", -570),
    ])
    func `a zone has its offset`(_ name: String, _ time: String, _ minutes: Int) throws {
        let zone = try zone(name)
        #expect(zone.offset(at: seconds(time)) == minutes * 60)
        #expect(zone.name == name)
    }

    @Test func `periods follow one another without a hole`() throws {
        for name in ["Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata", "America/Santiago"] {
            let zone = try zone(name)
            var period = zone.period(at: 0)
            while period.end < seconds("2150-01-01 00:00") {
                #expect(zone.period(at: period.end - 1) == period)
                let next = zone.period(at: period.end)
                #expect(next.start == period.end && next.end > next.start)
                period = next
            }
        }
    }

    @Test(arguments: [
        "", "/etc/localtime", "../shadow", "Europe/../../etc/passwd", "Europe//Berlin", "Europe/", ".", "..",
        "zone.tab",
        "Europe/Berlin\u{0}", "Europe/Berlin ", "Zürich", "-x", "_x", "1x", "A\\B",
    ])
    func `a name that no zone can have is refused before any file is looked at`(_ name: String) {
        var reads = 0
        let error = #expect(throws: TimeZoneError.self) {
            try directory.rules(named: name) { _ in
                reads += 1
                return nil
            }
        }
        #expect(reads == 0)
        #expect(error == .invalidName(name) || error == .invalidOffset(name))
    }

    @Test(arguments: ["+2", "+02", "+0200", "+02:60", "+18:01", "-24:00", "+2:00", "+02:000", "+٠2:00", "+", "-"])
    func `an offset has two digits each, and 18 hours at most`(_ name: String) {
        #expect(throws: TimeZoneError.invalidOffset(name)) { try zone(name) }
    }

    @Test func `a name has at most 64 bytes`() {
        let longest = String(repeating: "a", count: 64)
        #expect(throws: TimeZoneError.unknown(longest, directory: directory.path)) { try zone(longest) }
        #expect(throws: TimeZoneError.invalidName(longest + "a")) { try zone(longest + "a") }
        #expect(
            TimeZoneError.invalidName(longest + "a").description == "A time zone of 65 bytes; at most 64 are allowed."
        )
    }

    @Test(arguments: ["Europe/Berln", "Nowhere", "Europe/Berlin/Mitte"])
    func `a zone that does not exist is unknown`(_ name: String) {
        #expect(throws: TimeZoneError.unknown(name, directory: directory.path)) { try zone(name) }
    }

    @Test func `an unknown zone and a file that can't be read are told apart`() {
        let system = TimeZoneDirectory()
        #expect(
            TimeZoneError.unknown("Europe/Berln", directory: system.path).description
                == "time zone \"Europe/Berln\": there is no such zone in /usr/share/zoneinfo, the directory of tzdata."
        )
        // A directory of the zones is no zone.
        let error = #expect(throws: TimeZoneError.self) { try zone("Europe") }
        #expect(
            error?.description == "time zone \"Europe\": its file can't be read: EINVAL: invalid argument."
        )
    }

    @Test func `the directory is the one that TZDIR names`() throws {
        #expect(TimeZoneDirectory(tzdir: nil).path == "/usr/share/zoneinfo")
        #expect(TimeZoneDirectory(tzdir: "").path == "/usr/share/zoneinfo")
        var path = ""
        let zone = try TimeZoneDirectory(tzdir: "/zones").rules(named: "Test/Zone") {
            path = $0
            return TZifBytes(offsets: [-1800], rule: "").bytes
        }
        #expect(path == "/zones/Test/Zone")
        #expect(zone.offset(at: 0) == -1800)
    }

    @Test func `UTC and offsets need no file`() throws {
        for name in ["UTC", "+02:00"] {
            _ = try directory.rules(named: name) { _ in
                Issue.record("a file was read")
                return nil
            }
        }
    }
}

import PenstockSchedule
import Testing
import UV

/// The seconds since 1970 of `2025-03-30 01:00`, or of `2025-03-30 01:00:00`, in UTC.
func seconds(_ text: String) -> Int {
    let numbers = text.split { "- :".contains($0) }.map { Int($0)! }  // the texts are constants
    let date = CivilDate(year: numbers[0], month: numbers[1], day: numbers[2])
    let second = numbers.count > 5 ? numbers[5] : 0
    return date.daysSinceEpoch * 86_400 + numbers[3] * 3600 + numbers[4] * 60 + second
}

/// The milliseconds since 1970 of a time in UTC.
func instant(_ text: String) -> UInt64 { UInt64(seconds(text)) * 1000 }

/// What the zone's clock shows at an instant, and its offset: `2025-03-30 03:00:00 +02:00`.
func shown(_ instant: UInt64, in zone: TimeZoneRules = .utc) -> String {
    let offset = zone.offset(at: Int(instant / 1000))
    let local = Int(instant / 1000) + offset
    let date = CivilDate(daysSinceEpoch: local / 86_400)
    let time = [local % 86_400 / 3600, local % 3600 / 60, local % 60].map(padded).joined(separator: ":")
    let day = "\(date.year)-\(padded(date.month))-\(padded(date.day))"
    if zone == .utc { return "\(day) \(time)" }
    return "\(day) \(time) \(offset < 0 ? "-" : "+")\(padded(abs(offset) / 3600)):\(padded(abs(offset) % 3600 / 60))"
}

private func padded(_ number: Int) -> String { (number < 10 ? "0" : "") + "\(number)" }

/// The rules of a zone of this machine.
func zone(_ name: String) throws -> TimeZoneRules {
    try directory.rules(named: name) { path in try zoneFile(path) }
}

func zoneFile(_ path: String) throws -> [UInt8]? {
    try FileContents.read(path, bytesMax: ScheduleLimits.zoneFileBytesMax)
}

let directory = TimeZoneDirectory(tzdir: EnvironmentVariable.value(of: "TZDIR"))

/// The next occurrences after a time of the zone's clock at the offset that it has in UTC: as the clock shows them.
func occurrences(
    _ expression: String,
    in zone: TimeZoneRules = .utc,
    after start: String,
    count: Int
) throws -> [String] {
    let schedule = Schedule.cron(try CronExpression(expression), zone)
    var (result, last): ([String], UInt64) = ([], instant(start))
    for _ in 0..<count {
        guard let next = schedule.next(after: last) else { break }
        #expect(next > last)
        result.append(shown(next, in: zone))
        last = next
    }
    return result
}

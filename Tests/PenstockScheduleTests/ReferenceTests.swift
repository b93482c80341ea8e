import PenstockSchedule
import TestSupport
import Testing

/// The search against one that looks at every minute, and at every second.
@Suite(.computing) struct ReferenceTests {
    static let zones = [
        "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Africa/Casablanca", "Asia/Gaza",
        "America/Nuuk", "Pacific/Apia", "America/Santiago", "Asia/Kolkata",
    ]

    @Test(arguments: 1...16 as ClosedRange<UInt64>)
    func `around a change of the clock, what fires is what a look at every minute finds`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<8 {
            let name = random.one(of: Self.zones)
            let zone = try zone(name)
            let change = changeOfTheClock(in: zone, &random)
            let spec = CronSpec(hours: hours(around: change, in: zone), &random)
            let reference = Reference(spec, zone, step: 60)
            let start = change / 60 * 60 + random.number(random.chance(50) ? -60...60 : -2160...0) * 60
            try compare(reference, name, from: start, to: start + 3 * 86_400)
        }
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func `around a change of the clock, what fires is what a look at every second finds`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let name = random.one(of: Self.zones)
        let zone = try zone(name)
        let change = changeOfTheClock(in: zone, &random)
        let spec = CronSpec(hours: hours(around: change, in: zone), hasSeconds: true, &random)
        let start = change / 60 * 60 + random.number(-90...60) * 60
        try compare(Reference(spec, zone, step: 1), name, from: start, to: start + 3 * 3600)
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func `from any day on, the days are those that a look at every minute finds`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let name = random.one(of: Self.zones + ["UTC"])
        let zone = try zone(name)
        let spec = CronSpec(days: true, &random)
        let start = random.number(0...2_000_000) * 3600
        try compare(Reference(spec, zone, step: 60), name, from: start, to: start + 40 * 86_400)
    }

    private func compare(_ reference: Reference, _ zone: String, from start: Int, to end: Int) throws {
        let expression = try CronExpression(reference.spec.text)
        #expect(expression.followsClock == reference.spec.followsClock)
        let schedule = Schedule.cron(expression, reference.zone)
        var found: [Int] = []
        var last = UInt64(start) * 1000 - 1
        while let next = schedule.next(after: last), next < UInt64(end) * 1000 {
            found.append(Int(next / 1000))
            last = next
        }
        #expect(
            found == reference.occurrences(from: start, to: end),
            "\(reference.spec.text) in \(zone) from \(start)"
        )
    }

    private func changeOfTheClock(in zone: TimeZoneRules, _ random: inout SeededRandom) -> Int {
        let start = random.number(86_400 * 400...4_000_000_000)
        let end = zone.period(at: start).end
        return end == .max ? start : end
    }

    /// The hours that the clock shows around an instant.
    private func hours(around instant: Int, in zone: TimeZoneRules) -> [Int] {
        (-1...1).map { (instant + $0 * 3600 + zone.offset(at: instant)) / 3600 % 24 }
    }
}

/// A random expression, and the numbers that it means.
struct CronSpec: Sendable {
    private(set) var text = ""
    private(set) var followsClock = false
    private var seconds: Set<Int> = [0]
    private var minutes: Set<Int> = []
    private var hours: Set<Int> = []
    private var days: Set<Int> = []
    private var months: Set<Int> = []
    private var weekdays: Set<Int> = []
    private var hasLastDay = false
    private var isEitherDay = false

    init(hours near: [Int] = [0], hasSeconds: Bool = false, days hasDays: Bool = false, _ random: inout SeededRandom) {
        var texts: [String] = []
        if hasSeconds { (seconds, _) = Self.field(0...59, &texts, star: 30, &random) }
        let (minutes, isMinuteStar) = Self.field(0...59, &texts, star: 25, &random)
        var (hours, isHourStar) = Self.field(0...23, &texts, star: 25, &random)
        if !isHourStar, random.chance(70) {
            hours = Set((0...random.number(0...2)).map { _ in random.one(of: near) })
            texts[texts.count - 1] = hours.map(String.init).joined(separator: ",")
        }
        var (days, isDayStar) = Self.field(1...31, &texts, star: hasDays ? 30 : 90, &random)
        if hasDays, !isDayStar, random.chance(30) {
            hasLastDay = true
            texts[texts.count - 1] += ",L"
        }
        (months, _) = Self.field(1...12, &texts, star: 90, &random)
        if random.chance(10), texts.last == "*" { texts[texts.count - 1] = "JAN-Dec/1" }
        var (weekdays, isWeekdayStar) = Self.field(0...6, &texts, star: hasDays ? 30 : 90, &random)
        if months.count < 12 || Set(28...31).isSuperset(of: days) {
            // Nothing that can't fire, and nothing that seldom does.
            (months, days, isDayStar) = (Set(1...12), Set(1...31), true)
            hasLastDay = false
            texts.replaceSubrange(texts.count - 3..<texts.count - 1, with: ["*", "*"])
        }
        if weekdays.isEmpty { (weekdays, isWeekdayStar) = (Set(0...6), true) }
        isEitherDay = !isDayStar && !isWeekdayStar
        followsClock = isMinuteStar || isHourStar
        (self.minutes, self.hours, self.days, self.weekdays) = (minutes, hours, days, weekdays)
        text = texts.joined(separator: " ")
    }

    /// A random field, appended to `texts`: what it means, and whether it begins with `*`.
    private static func field(
        _ range: ClosedRange<Int>,
        _ texts: inout [String],
        star: Int,
        _ random: inout SeededRandom
    ) -> (Set<Int>, Bool) {
        if random.chance(star) {
            let step = random.chance(50) ? 1 : random.number(1...range.upperBound)
            texts.append(step == 1 ? "*" : "*/\(step)")
            return (Set(stride(from: range.lowerBound, through: range.upperBound, by: step)), true)
        }
        var numbers: Set<Int> = []
        var parts: [String] = []
        for _ in 0...random.number(0...2) {
            let low = random.number(range)
            let high = random.number(low...range.upperBound)
            let step = random.number(1...max(1, range.upperBound / 3))
            switch random.number(0...3) {
            case 0, 1:
                parts.append("\(low)")
                numbers.insert(low)
            case 2:
                parts.append("\(low)-\(high)")
                numbers.formUnion(low...high)
            default:
                parts.append("\(low)-\(high)/\(step)")
                numbers.formUnion(stride(from: low, through: high, by: step))
            }
        }
        texts.append(parts.joined(separator: ","))
        return (numbers, false)
    }

    func matches(_ local: Int) -> Bool {
        let (day, second) = (local / 86_400, local % 86_400)
        guard seconds.contains(second % 60), minutes.contains(second / 60 % 60), hours.contains(second / 3600) else {
            return false
        }
        let date = CivilDate(daysSinceEpoch: day)
        let isLast = date.day == CivilDate.days(inMonth: date.month, of: date.year)
        let isDay = days.contains(date.day) || hasLastDay && isLast
        let isWeekday = weekdays.contains(date.weekday)
        return months.contains(date.month) && (isEitherDay ? isDay || isWeekday : isDay && isWeekday)
    }
}

/// The rules of ``Schedule``, one step after another.
struct Reference {
    let spec: CronSpec
    let zone: TimeZoneRules
    /// 60, or 1 for an expression with seconds.
    let step: Int

    init(_ spec: CronSpec, _ zone: TimeZoneRules, step: Int) {
        self.spec = spec
        self.zone = zone
        self.step = step
    }

    func occurrences(from start: Int, to end: Int) -> [Int] {
        if spec.followsClock {
            return stride(from: start, to: end, by: step).filter { spec.matches($0 + zone.offset(at: $0)) }
        }
        var result: [Int] = []
        // The latest time that the clock has shown, beginning two days and more before.
        var reached =
            stride(from: start - 190_800, to: start, by: 60).map { $0 + zone.offset(at: $0) }.max()! + 60 - step
        for instant in stride(from: start, to: end, by: step) {
            let local = instant + zone.offset(at: instant)
            if stride(from: reached + step, through: local, by: step).contains(where: spec.matches) {
                result.append(instant)
            }
            reached = max(reached, local)
        }
        return result
    }
}

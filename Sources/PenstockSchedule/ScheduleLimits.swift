/// The bounds of a schedule, named once.
package enum ScheduleLimits {
    /// Shortest and longest interval: 1 ms and ten years.
    package static let intervalMilliseconds: ClosedRange<UInt64> = 1...(10 * 365 * 86_400_000)
    /// Bytes of a cron expression; at least one.
    package static let cronBytesMax = 255
    /// Bytes of a time zone's name; at least one.
    package static let zoneBytesMax = 64
    /// Bytes of a time zone's file. The largest of the zones that exist has four kilobytes.
    package static let zoneFileBytesMax = 64 * 1024
    /// The farthest a fixed offset lies from UTC, in seconds: 18 hours.
    package static let fixedOffsetSecondsMax = 18 * 3600
    /// The farthest a zone's clock lies from UTC, in seconds, both ways: what RFC 8536 allows.
    static let offsetSecondsMax = 26 * 3600 - 1
    /// The last year in which anything fires.
    static let yearMax = 9999
    /// The years that are looked through for a next occurrence. No expression pauses longer: the longest pause, 40
    /// years, is the one of a 29 February that has to be a given weekday, across a year like 2100.
    static let searchYears = 44
}

import Testing

@testable import BenchSupport

struct MachineUsageTests {
    @Test func `idle time and waiting for a disk are not busy`() {
        let usage = MachineUsage(stat: "cpu  10 2 30 400 50 6 7 8 0 0\ncpu0 1 2 3\n")
        #expect(usage?.busyTicks == 63 && usage?.ticks == 513)
    }

    @Test(arguments: ["", "cpu", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8 9"]) func `anything else is refused`(stat: String) {
        #expect(MachineUsage(stat: stat) == nil)
    }

    @Test func `what we used ourselves is left out`() throws {
        let before = try #require(MachineUsage(stat: "cpu 0 0 0 0 0 0 0 0"))
        let after = try #require(MachineUsage(stat: "cpu 100 0 50 50 0 0 0 0"))
        // A tick is 10 ms on every Linux that this runs on.
        #expect(after.share(since: before, without: .milliseconds(500)) == 0.5)
        #expect(after.share(since: before, without: .seconds(10)) == 0)
        #expect(before.share(since: before, without: .zero) == nil)
    }

    @Test func `this machine tells its usage`() throws {
        #expect(try MachineUsage.current().ticks > 0)
    }
}

import Foundation
import Testing

@testable import BenchSupport

struct ProcessUsageTests {
    @Test func `a command with spaces and parentheses does not shift the fields`() throws {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4 5 0 0 0 150 50 0 0 20 0 3 0 99 1000 12 184 1 1 0"
        let usage = try #require(ProcessUsage(stat: stat))
        #expect(usage.cpuTime == .milliseconds(200 * 1000 / sysconf(Int32(_SC_CLK_TCK))))
        #expect(usage.residentBytes == 12 * sysconf(Int32(_SC_PAGESIZE)))
    }

    @Test func `this process uses memory and its CPU time grows`() throws {
        let before = try ProcessUsage.current()
        let deadline = ContinuousClock.now + .milliseconds(100)
        while ContinuousClock.now < deadline {}
        let after = try ProcessUsage.current()
        #expect(before.residentBytes > 1 << 20)
        #expect(after.cpuTime > before.cpuTime)
    }

    @Test func `a process that does not exist is unreadable`() {
        #expect(throws: ProcessUsage.Failure.unreadable(pid: .max)) { try ProcessUsage(pid: .max) }
    }
}

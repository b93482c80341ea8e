import Foundation
import Testing

@testable import BenchSupport

struct ProcessUsageTests {
    @Test func `memory is told in kibibytes, that of files apart`() throws {
        let status = "Name:\tpenstockd VmRSS: 1 kB\nVmRSS:\t    5000 kB\nRssAnon:\t    2000 kB\nRssFile:\t 3000 kB\n"
        let usage = try #require(ProcessUsage(cpuTime: .milliseconds(3), status: status))
        #expect(usage.cpuTime == .milliseconds(3))
        #expect(usage.residentBytes == 5000 * 1024 && usage.anonymousBytes == 2000 * 1024)
    }

    @Test(arguments: ["", "VmRSS: 12 kB\n", "VmRSS: 12 kB\nRssAnon: many kB\n", "VmRSS: 12\nRssAnon: 3 kB\n"])
    func `anything else is refused`(status: String) {
        #expect(ProcessUsage(cpuTime: .zero, status: status) == nil)
    }

    @Test func `this process uses memory and its CPU time grows`() throws {
        let before = try ProcessUsage.current()
        let deadline = ContinuousClock.now + .milliseconds(100)
        while ContinuousClock.now < deadline {}
        let after = try ProcessUsage.current()
        #expect(before.residentBytes > 1 << 20 && before.anonymousBytes < before.residentBytes)
        #expect(after.cpuTime > before.cpuTime)
    }

    @Test func `a process that does not exist is unreadable`() {
        #expect(throws: ProcessUsage.Failure.unreadable(pid: .max)) { try ProcessUsage(pid: .max) }
    }
}

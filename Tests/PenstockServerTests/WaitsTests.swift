import PenstockWire
import TestSupport
import Testing

@testable import PenstockServer

@Suite(.computing) struct WaitsTests {
    private func request(deadline: UInt64) -> Waits.Request {
        Waits.Request(connection: 1, header: FrameHeader(.wait), deadline: deadline)
    }

    @Test func `requests that run out one shortly after the other share a look`() {
        var waits = Waits()
        for number in 1...1000 as ClosedRange<UInt64> {
            waits.add(request(deadline: 10_000 + number), for: .job(JobID(number)))
        }
        var found = 0
        var looks = 0
        while waits.nextDeadline != .max {
            let now = waits.nextDeadline
            looks += 1
            for expired in waits.takeExpired(now: now) {
                found += 1
                #expect(expired.deadline <= now && now <= expired.deadline + Waits.slackMilliseconds)
            }
        }
        #expect(found == 1000)
        #expect(looks <= 17)
        #expect(waits.isEmpty)
    }
}

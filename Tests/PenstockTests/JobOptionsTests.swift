import Foundation
import PenstockWire
import Testing

@testable import Penstock

/// Which option wins, and what options are on the wire.
struct JobOptionsTests {
    @Test func `a job's own option wins over its queue's, and that over the producer's`() {
        let producer = OptionDefaults(
            queues: ["mail": JobOptions(priority: 1, attempts: 5)],
            all: JobOptions(priority: 2, attempts: 2, backoff: .fixed(.seconds(1)))
        )
        let defaults = producer.behind(["mail": JobOptions(attempts: 7)])
        let mail = defaults.fill(JobOptions(lifo: true), queue: "mail")
        #expect((mail.priority, mail.attempts, mail.backoff, mail.lifo) == (1, 7, .fixed(.seconds(1)), true))
        let own = defaults.fill(JobOptions(priority: 0, attempts: 1), queue: "mail")
        #expect((own.priority, own.attempts) == (0, 1))
        let other = defaults.fill(JobOptions(), queue: "other")
        #expect((other.priority, other.attempts) == (2, 2))
    }

    @Test func `an option that was set to nothing stays so`() {
        let defaults = OptionDefaults(
            queues: [:],
            all: JobOptions(backoff: .fixed(.seconds(1)), repeatEvery: .seconds(1))
        )
        var options = JobOptions()
        options.backoff = nil
        let filled = defaults.fill(options, queue: "q")
        #expect(filled.backoff == nil)
        #expect(filled.repeatEvery == .seconds(1))
    }

    @Test func `headers of defaults are added to those of a job, which win`() {
        let producer = OptionDefaults(queues: [:], all: JobOptions(headers: ["tenant": "acme", "trace": "none"]))
        let defaults = producer.behind(["q": JobOptions(headers: ["region": "eu"])])
        let headers = defaults.fill(JobOptions(headers: ["trace": "7"]), queue: "q").headers
        #expect(headers == ["tenant": "acme", "region": "eu", "trace": "7"])
        #expect(OptionDefaults.none.fill(JobOptions(), queue: "q").given.headers == nil)
    }

    @Test(arguments: [Double.nan, 253_402_300_800, .infinity])
    func `a time that can't come is refused`(seconds: Double) {
        let time = Date(timeIntervalSince1970: seconds)
        let options = #expect(throws: PenstockError.self) { try JobOptions(at: time).wire() }
        #expect(options?.code == .invalidOption)
        let schedule = #expect(throws: PenstockError.self) {
            try time.wireMilliseconds("start", orElse: .invalidSchedule)
        }
        #expect(schedule?.code == .invalidSchedule)
    }

    @Test(arguments: [-Double.infinity, -5, 0, 0.001])
    func `a time that has passed is the earliest`(seconds: Double) throws {
        #expect(try JobOptions(at: Date(timeIntervalSince1970: seconds)).wire().at == 1)
    }

    @Test func `what says something of one job is no default of its queue`() {
        for options in [JobOptions(at: Date()), JobOptions(headers: [:]), JobOptions(lifo: true)] {
            let error = #expect(throws: PenstockError.self) { try options.checkQueueDefaults() }
            #expect(error?.code == .invalidOption)
        }
    }

    @Test func `options that run a job in the same way are equal`() {
        #expect(JobOptions() == JobOptions(priority: 0, attempts: 1, onFailure: .failParent, cancelSiblings: false))
        #expect(JobOptions(attempts: 2) != JobOptions())
        #expect(Set([JobOptions(), JobOptions(lifo: false)]).count == 1)
    }

    @Test func `an id is no default`() {
        for options in [JobOptions(id: "x"), JobOptions(deduplication: .init("x"))] {
            let defaults = OptionDefaults.none.behind(["q": options])
            let error = #expect(throws: PenstockError.self) { try defaults.check() }
            #expect(error?.code == .invalidOption)
        }
    }

    @Test func `retention and repetition reach the wire in its units`() throws {
        let options = JobOptions(
            cancelSiblings: true,
            repeatEvery: .seconds(2),
            keepCompleted: Retention(count: 10, age: .seconds(3)),
            keepFailed: .keep
        )
        let wire = try options.wire()
        #expect(wire.cancelSiblings)
        #expect(wire.repeatEvery == 2000)
        #expect(wire.keepCompleted == PenstockWire.Retention(count: 10, age: 3000))
        #expect(wire.keepFailed == PenstockWire.Retention())
        #expect(JobOptions(wire, id: nil) == options)
        #expect(try JobOptions(keepCompleted: .removeAtOnce).wire().keepCompleted?.count == 0)
        #expect(try JobOptions().wire() == .default)
    }

    @Test(arguments: [
        JobOptions(repeatEvery: .zero), JobOptions(repeatEvery: .seconds(-1)),
        JobOptions(keepCompleted: Retention(count: -1)), JobOptions(keepFailed: Retention(count: 4_294_967_295)),
        JobOptions(keepFailed: Retention(age: .seconds(-1))),
    ])
    func `options out of range are refused`(options: JobOptions) {
        let error = #expect(throws: PenstockError.self) { try options.wire() }
        #expect(error?.code == .invalidOption)
    }
}

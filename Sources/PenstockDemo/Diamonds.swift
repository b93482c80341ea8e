import Foundation
import Penstock

/// Many small flows at once: a thousand diamonds in one transaction.
///
///     start -> left, right -> end
enum Diamonds {
    static let count = 1000

    static func workers(_ client: PenstockClient) -> [Worker] {
        [
            Worker(client, queue: "diamonds", concurrency: 64) { (job: Job<RawPayload>) in
                job.hasDependencies ? try await job.childrenValues(as: Int.self).values.reduce(0, +) : 1
            }
        ]
    }

    static func run(_ client: PenstockClient) async throws {
        let flows = (0..<count).map { _ in
            var flow = Flow("diamond")
            let start = flow.add("start", queue: "diamonds")
            let left = flow.add("left", queue: "diamonds", after: start)
            let right = flow.add("right", queue: "diamonds", after: start)
            flow.add("end", queue: "diamonds", after: left, right)
            return flow
        }
        let clock = ContinuousClock()
        let begin = clock.now
        let handles = try await FlowProducer(client).addBulk(flows)
        let added = clock.now
        var completed = 0
        for handle in handles where try await handle.wait().status == .completed { completed += 1 }
        let finished = clock.now
        let result = try await handles[0].root.result(as: Int.self)
        print(
            """
            diamonds   \(count) flows of 4 jobs added in one transaction in \(milliseconds(added - begin)) ms, \
            \(completed) completed \(milliseconds(finished - begin)) ms after the start, each with the result \(result)

            """
        )
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        Int(duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000)
    }
}

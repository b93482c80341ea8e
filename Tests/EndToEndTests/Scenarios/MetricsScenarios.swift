#if Metrics
    import MetricsTestKit
    import Penstock
    import PenstockTesting
    import TestSupport
    import Testing

    /// What is counted of jobs, with the trait `Metrics`.
    @Suite(.inTurns) struct `Metrics` {
        @Test func `runs are counted and timed by queue, name and outcome`() async throws {
            try await withPenstock { _, client in
                let metrics = TestMetrics()
                let options = Worker.Options(middleware: [MetricsMiddleware(factory: metrics)])
                let worker = Worker(client, queue: "q", options: options) { (job: Job<RawPayload>) in
                    if job.name == "broken" { throw Broken() }
                    if job.name == "delayed", job.attemptsStarted == 1 { throw Delayed(by: .zero) }
                }
                let queue = Queue("q", client)
                try await running(worker) {
                    for name in ["fine", "fine", "broken", "delayed"] { try await queue.add(name).wait() }
                }
                func dimensions(_ name: String, _ outcome: String?) -> [(String, String)] {
                    [("queue", "q"), ("job", name)] + (outcome.map { [("outcome", $0)] } ?? [])
                }
                func ended(_ name: String, _ outcome: String) throws -> Int64 {
                    try metrics.expectCounter("penstock.jobs.ended", dimensions(name, outcome)).totalValue
                }
                #expect(try metrics.expectCounter("penstock.jobs.begun", dimensions("fine", nil)).totalValue == 2)
                #expect(try ended("fine", "completed") == 2)
                #expect(try ended("broken", "failed") == 1)
                #expect(try ended("delayed", "put-off") == 1)
                #expect(try ended("delayed", "completed") == 1)
                let timer = try metrics.expectTimer("penstock.jobs.duration", dimensions("fine", "completed"))
                #expect(timer.values.count == 2)
            }
        }
    }
#endif

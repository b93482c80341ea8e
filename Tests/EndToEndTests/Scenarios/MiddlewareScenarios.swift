import Logging
import Penstock
import PenstockTesting
import TestSupport
import Testing

/// What stands around the handlers of a worker.
@Suite(.inTurns) struct `Middleware` {
    struct Note: WorkerMiddleware {
        let name: String
        let record: Record<String>

        func process(_ job: Job<RawPayload>, next: @Sendable () async throws -> Void) async throws {
            record.add("\(name) begins \(job.name) of \(job.queue)")
            do {
                try await next()
                record.add("\(name) ends")
            } catch {
                record.add("\(name) sees \(error)")
                throw error
            }
        }
    }

    struct Refusal: WorkerMiddleware {
        func process(_ job: Job<RawPayload>, next: @Sendable () async throws -> Void) async throws {
            guard job.name != "refused" else { throw UnrecoverableError("not today") }
            if job.name == "skipped" { return }
            try await next()
        }
    }

    @Test func `middleware stands around the handler, the first outermost, and the result passes through`()
        async throws
    {
        try await withPenstock { _, client in
            let record = Record<String>()
            let options = Worker.Options(
                middleware: [Note(name: "outer", record: record), Note(name: "inner", record: record)]
            )
            let worker = Worker(client, queue: "q", options: options) { (job: Job<Int>) -> Int in
                record.add("handler")
                if job.data < 0 { throw Broken() }
                return job.data * 2
            }
            try await running(worker) {
                let job = try await Queue("q", client).add("double", data: 21)
                #expect(try await job.result(as: Int.self) == 42)
                #expect(
                    record.entries == [
                        "outer begins double of q", "inner begins double of q", "handler", "inner ends", "outer ends",
                    ]
                )
                let failing = try await Queue("q", client).add("double", data: -1)
                #expect(try await failing.wait().state == .failed)
                #expect(record.entries.suffix(2) == ["inner sees broken", "outer sees broken"])
            }
        }
    }

    @Test func `middleware can refuse a job, and can end it without its handler`() async throws {
        try await withPenstock { _, client in
            let options = Worker.Options(middleware: [Refusal()])
            let worker = Worker(client, queue: "q", options: options) { (job: Job<RawPayload>) in "handled" }
            let queue = Queue("q", client)
            try await running(worker) {
                let refused = try await queue.add("refused", options: .init(attempts: 3)).wait()
                #expect((refused.state, refused.attemptsMade) == (.failed, 1))
                let skipped = try await queue.add("skipped").result(as: String?.self)
                #expect(skipped == nil)
                #expect(try await queue.add("other").result(as: String.self) == "handled")
            }
        }
    }

    /// A job of each kind of end, run with a middleware that logs.
    private func log(_ record: LogRecord) async throws {
        try await withTestServer { server in
            try await PenstockClient.withClient(server.address, logger: record.logger) { client in
                let options = Worker.Options(middleware: [LoggingMiddleware()])
                let worker = Worker(client, queue: "q", options: options) { (job: Job<RawPayload>) in
                    if job.name == "broken" { throw Broken() }
                    if job.name == "delayed", job.attemptsStarted == 1 { throw Delayed(by: .zero) }
                }
                let jobs = try await Queue("q", client).addBulk(["fine", "broken", "delayed"].map { NewJob($0) })
                try await running(worker) {
                    for job in jobs { try await job.wait() }
                }
            }
        }
    }

    @Test func `the logging middleware logs the beginning and the end of each run, with the job as metadata`()
        async throws
    {
        let record = LogRecord()
        try await log(record)
        func count(_ level: Logger.Level, _ begin: String, _ part: String) -> Int {
            record.messages(level).count { $0.hasPrefix(begin) && $0.contains(part) }
        }
        #expect(count(.info, "A job begins", "job-name=fine") == 1)
        #expect(count(.info, "A job is done", "queue=q") == 2)
        #expect(count(.info, "A job is put off", "job-name=delayed") == 1)
        #expect(count(.warning, "An attempt at a job has failed", "error=broken") == 1)
    }
}

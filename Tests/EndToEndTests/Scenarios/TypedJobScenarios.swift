import Logging
import Penstock
import PenstockTesting
import Synchronization
import TestSupport
import Testing

struct Price: JobType {
    static let jobName = "price"
    typealias Output = Int
    var article: String
}

struct Offer: JobType {
    static let jobName = "offer"
    struct Output: Codable, Sendable, Equatable { var total: Int }
    var customer: String
}

struct Notice: JobType {
    static let jobName = "notice"
    var text: String
}

/// Jobs whose name, data and result are types, and workers with handlers by name.
@Suite(.inTurns) struct `Typed jobs` {
    @Test func `several types share a queue, and each result has its type`() async throws {
        try await withPenstock { _, client in
            let notices = Record<String>()
            let worker = Worker(
                client,
                queue: "shop",
                concurrency: 4,
                handlers: [
                    JobHandler(Price.self) { job in job.data.article.count },
                    JobHandler(Offer.self) { job in
                        Offer.Output(total: try await job.childrenValues(of: Price.self).values.reduce(0, +))
                    },
                    JobHandler(Notice.self) { job in notices.add(job.data.text) },
                    JobHandler("ping") { (job: Job<String>) in "pong \(job.data)" },
                ]
            )
            let queue = Queue("shop", client)
            try await running(worker) {
                let price = try await queue.add(Price(article: "chair"))
                #expect(try await price.result() == 5)
                #expect(try await price.data().article == "chair")
                let notice = try await queue.add(Notice(text: "hello"))
                _ = try await notice.job.wait()
                #expect(notices.entries == ["hello"])
                #expect(try await queue.add("ping", data: "1").result(as: String.self) == "pong 1")
                let tree = try await FlowProducer(client).add(
                    FlowJob(Offer(customer: "a"), queue: "shop") {
                        FlowJob(Price(article: "table"), queue: "shop")
                        FlowJob(Price(article: "lamp"), queue: "shop")
                        FlowJob(Notice(text: "an offer is made"), queue: "shop")
                    }
                )
                #expect(try await tree.root.typed(as: Offer.self).result() == Offer.Output(total: 9))
                var flow = Flow("graph")
                let first = flow.add(Price(article: "bed"), queue: "shop")
                let offer = flow.add(Offer(customer: "b"), queue: "shop", after: first)
                let handle = try await FlowProducer(client).add(flow)
                #expect(try await handle[offer].typed(as: Offer.self).result().total == 3)
                #expect(await code { try handle[offer].typed(as: Price.self) } == .decodingFailed)
            }
        }
    }

    @Test func `a held job adds typed children`() async throws {
        try await withPenstock { _, client in
            let worker = Worker(
                client,
                queue: "shop",
                handlers: [
                    JobHandler(Price.self) { job in job.data.article.count },
                    JobHandler(Offer.self) { job in
                        try await job.addChild(Price(article: "sofa"), queue: "shop", key: "sofa")
                        try await job.waitForChildren()
                        return Offer.Output(total: try await job.childrenValues(of: Price.self).values[0])
                    },
                ]
            )
            try await running(worker) {
                let offer = try await FlowProducer(client).add(Offer(customer: "c"), queue: "shop")
                #expect(try await offer.result().total == 4)
            }
        }
    }

    @Test func `a job whose name no handler has is given back with a delay and a warning, and its attempts are kept`()
        async throws
    {
        try await withTestServer { server in
            let log = LogRecord()
            try await PenstockClient.withClient(server.address, logger: log.logger) { client in
                let queue = Queue("shop", client)
                let job = try await queue.add("later-version")
                let old = Worker(client, queue: "shop", handlers: [JobHandler(Notice.self) { _ in }])
                try await running(old) {
                    let isDelayed = try await eventually { try await job.state() == .delayed }
                    #expect(isDelayed)
                }
                let info = try await job.info()
                #expect((info.attemptsMade, info.attemptsStarted) == (0, 1))
                #expect(log.messages(.warning).contains { $0.contains("No handler has the name") })
                server.advance(by: .seconds(11))
                let new = Worker(
                    client,
                    queue: "shop",
                    handlers: [JobHandler("later-version") { (_: Job<RawPayload>) in }]
                )
                try await running(new) {
                    let state = try await job.wait().state
                    #expect(state == .completed)
                }
            }
        }
    }

    @Test func `a worker can be told to fail the jobs whose name no handler has`() async throws {
        try await withPenstock { _, client in
            let job = try await Queue("shop", client).add("unknown", options: .init(attempts: 5))
            let options = Worker.Options(unknownNames: .fail)
            let worker = Worker(client, queue: "shop", options: options, handlers: [JobHandler(Notice.self) { _ in }])
            try await running(worker) {
                let info = try await job.wait()
                #expect((info.state, info.attemptsMade) == (.failed, 1))
                #expect(info.failure?.message.contains("unknown") == true)
            }
        }
    }

    @Test func `data that is no such type fails its job for good`() async throws {
        try await withPenstock { _, client in
            let job = try await Queue("shop", client).add("price", data: ["wrong": 1], options: .init(attempts: 5))
            let worker = Worker(client, queue: "shop", handlers: [JobHandler(Price.self) { _ in 1 }])
            try await running(worker) {
                let info = try await job.wait()
                #expect((info.state, info.attemptsMade) == (.failed, 1))
            }
        }
    }
}

/// What was logged.
final class LogRecord: Sendable {
    private let lines = Mutex<[(Logger.Level, String)]>([])

    var logger: Logger { Logger(label: "test") { _ in Handler(record: self) } }

    func messages(_ level: Logger.Level) -> [String] { lines.withLock { $0.filter { $0.0 == level }.map(\.1) } }

    private struct Handler: LogHandler {
        let record: LogRecord
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { $1 }.map { "\($0.key)=\($0.value)" }.sorted()
            record.lines.withLock {
                $0.append((event.level, ([event.message.description] + all).joined(separator: " ")))
            }
        }
    }
}

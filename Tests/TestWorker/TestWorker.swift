import Foundation
import Logging
import Penstock
import Synchronization

/// A worker in a process of its own, for tests that end or freeze it.
///
/// Its arguments: the server's port, the queue, its name, and `hold` or `finish`. It says on its output what happens:
/// `begun <job>`, `cancelled <reason>`, `refused`. One that holds completes its jobs when a line comes on its input;
/// the end of the input ends the process.
@main
struct TestWorker {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 5, let port = Int(arguments[1]) else {
            say("usage: TestWorker <port> <queue> <name> hold|finish")
            exit(64)
        }
        let (queue, name, holds) = (arguments[2], arguments[3], arguments[4] == "hold")
        let lines = AsyncStream<Void>.makeStream()
        Thread.detachNewThread {
            while readLine() != nil { lines.continuation.yield() }
            exit(0)
        }
        let client = PenstockClient(
            .tcp(host: "127.0.0.1", port: port),
            logger: Logger(label: "test-worker") { _ in Refusals() }
        )
        let worker = Worker(client, queue: queue, options: .init(name: name)) { (job: Job<RawPayload>) -> String in
            say("begun \(job.id)")
            if holds {
                for await _ in lines.stream { break }
                if let cancellation = job.cancellation { say("cancelled \(cancellation.reason)") }
            }
            return name
        }
        async let running: Void = client.run()
        try await worker.run()
        try await running
    }

    static func say(_ line: String) { try? FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8)) }
}

/// Says when the server has refused the end of a job.
private struct Refusals: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        if event.message.description.contains("refused the end of a job") { TestWorker.say("refused") }
    }
}

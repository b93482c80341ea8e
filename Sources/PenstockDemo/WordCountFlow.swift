import Foundation
import Penstock

/// The flow of the demo: split, map, reduce, report, and a branch that may fail.
///
///     split -> map (many) -> reduce -> report
///     dictionary (fails, and is ignored) ----^
enum WordCountFlow {
    struct Split: Codable {
        var folder: String
        var chunks: Int
    }

    struct Chunk: Codable {
        var folder: String
        var index: Int
    }

    /// Words that one result carries at most: it may have 1 MiB.
    static let wordsMax = 20_000

    static func add(_ client: PenstockClient, folder: String, chunks: Int) async throws -> FlowHandle {
        var flow = Flow("word count")
        let split = flow.add("split", queue: "split", data: Split(folder: folder, chunks: chunks))
        let maps = (0..<chunks).map { index in
            FlowDependency(
                flow.add("map", queue: "map", data: Chunk(folder: folder, index: index), after: split)
            )
        }
        let reduce = flow.add("reduce", queue: "reduce", after: maps)
        let dictionary = flow.add("dictionary", queue: "optional", onFailure: .ignore)
        flow.add("report", queue: "report", after: reduce, dictionary)
        return try await FlowProducer(client).add(flow)
    }

    static func workers(_ client: PenstockClient) -> [Worker] {
        [
            Worker(client, queue: "split") { (job: Job<Split>) in
                let files = try TextFolder.files(in: job.data.folder)
                return try TextFolder.parts(of: files, in: job.data.folder, count: job.data.chunks)
            },
            mapper(client, "mapper one"),
            mapper(client, "mapper two"),
            Worker(client, queue: "reduce") { job in
                var totals = Totals()
                for part in try await job.childrenValues(as: Totals.self).values { totals.add(part) }
                return totals.keeping(wordsMax)
            },
            Worker(client, queue: "optional") { (job: Job<RawPayload>) -> Int in
                throw UnrecoverableError("no dictionary is installed")
            },
            Worker(client, queue: "report") { job in
                let totals = try await job.childrenValues(as: Totals.self).values[0]
                let failures = try await job.ignoredChildrenFailures()
                let split = try await splitFiles(of: job, client)
                return Report(
                    totals: totals.keeping(100),
                    files: split,
                    warnings: failures.map { "\($0.name): \($0.message)" }
                )
            },
        ]
    }

    private static func mapper(_ client: PenstockClient, _ name: String) -> Worker {
        Worker(client, queue: "map", concurrency: 2, options: .init(name: name)) { (job: Job<Chunk>) in
            let parts = try await job.childrenValues(as: [[String]].self).values[0]
            let root = URL(fileURLWithPath: job.data.folder)
            var totals = Totals()
            for file in parts[job.data.index] {
                totals.add(file: try Data(contentsOf: root.appendingPathComponent(file)))
            }
            return totals.keeping(wordsMax)
        }
    }

    /// The files that were counted: the result of the split job, found through the graph.
    private static func splitFiles(of job: Job<RawPayload>, _ client: PenstockClient) async throws -> [String] {
        guard let flow = job.flow, let split = try await client.flowNodes(flow).first(where: { $0.name == "split" })
        else { return [] }
        return try await client.job(split.id).result(as: [[String]].self).flatMap { $0 }
    }
}

/// What the flow comes to: the result of its last job.
struct Report: Codable, Sendable {
    var totals: Totals
    var files: [String]
    /// What failed without mattering.
    var warnings: [String]

    func describe() -> String {
        let words = totals.mostFrequent(10).map { "\($0.word) \($0.count)" }.joined(separator: ", ")
        var lines = [
            "totals     \(totals.files) files, \(totals.lines) lines, \(totals.words) words, \(totals.bytes) bytes",
            "words      \(words)",
        ]
        lines += warnings.map { "ignored    \($0)" }
        return lines.joined(separator: "\n") + "\n"
    }
}

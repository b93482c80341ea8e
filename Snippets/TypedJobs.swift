// Jobs as types: their names, their data and their results are checked by the compiler on both sides.

import Penstock
import PenstockTesting

/// How many letters a word has.
struct Measure: JobType {
    static let jobName = "measure"
    typealias Output = Int
    var word: String
}

/// The sum of all measures that it depends on, as a sentence.
struct Summary: JobType {
    static let jobName = "summary"
    typealias Output = String
    var title: String
}

/// A job without a result.
struct Announce: JobType {
    static let jobName = "announce"
    var text: String
}

try await withTestServer { server in
    try await PenstockClient.withClient(server.address) { client in
        // Several types on one queue, each with its handler.
        let worker = Worker(
            client,
            queue: "words",
            concurrency: 4,
            handlers: [
                JobHandler(Measure.self) { job in job.data.word.count },
                JobHandler(Summary.self) { job in
                    let lengths = try await job.childrenValues(of: Measure.self).values
                    return "\(job.data.title): \(lengths.reduce(0, +))"
                },
                JobHandler(Announce.self) { job in print(job.data.text) },
            ]
        )
        async let working: Void = worker.run()

        // One job: the handle knows the type of its result.
        let measure = try await Queue("words", client).add(Measure(word: "penstock"))
        let length = try await measure.result()
        precondition(length == 8)

        // A tree of them.
        let flow = try await FlowProducer(client).add(
            FlowJob(Announce(text: "done"), queue: "words") {
                FlowJob(Summary(title: "letters"), queue: "words") {
                    for word in ["a", "bc", "def"] { FlowJob(Measure(word: word), queue: "words") }
                }
            }
        )
        try await flow.wait()
        let summary = try await flow.jobs(named: Summary.jobName)[0].typed(as: Summary.self).result()
        print(summary)
        precondition(summary == "letters: 6")

        worker.shutDown()
        try await working
    }
}

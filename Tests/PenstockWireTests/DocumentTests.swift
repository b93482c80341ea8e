import Foundation
import PenstockWire
import TestSupport
import Testing

/// `protocol/PROTOCOL.md` says what the code does: its tables and its example are read here.
@Suite(.computing) struct DocumentTests {
    static let lines = Repository.text(of: "protocol/PROTOCOL.md").split(
        separator: "\n",
        omittingEmptySubsequences: false
    )

    @Test(arguments: ErrorCode.allCases)
    func `every error stands in the table with its number, class and hardness`(_ code: ErrorCode) throws {
        let rows = DocumentTests.rows(under: "## Errors").filter { $0.count == 6 && $0[0] == "\(code.rawValue)" }
        let row = try #require(rows.first, "\(code) is not in the table")
        #expect(rows.count == 1)
        #expect(row[1] == "`\(code)`")
        #expect(row[2] == "`\(code.errorClass)`")
        #expect(row[3] == (code.isHard ? "hard" : "soft"))
        #expect(!row[4].isEmpty)
    }

    @Test func `the table has no other error, and every class`() {
        let rows = DocumentTests.rows(under: "## Errors")
        #expect(rows.filter { $0.count == 6 && Int($0[0]) != nil }.count == ErrorCode.allCases.count)
        for kind in ErrorClass.allCases {
            #expect(rows.contains { $0.count == 3 && $0[0] == "\(kind.rawValue)" && $0[1] == "`\(kind)`" })
        }
    }

    static let limits: [String: UInt64] = [
        "frameBytesMax": UInt64(Limits.frameBytesMax),
        "payloadBytesMax": UInt64(Limits.payloadBytesMax),
        "queueNameBytesMax": UInt64(Limits.queueNameBytesMax),
        "nameBytesMax": UInt64(Limits.nameBytesMax),
        "customIDBytesMax": UInt64(Limits.customIDBytesMax),
        "deduplicationIDBytesMax": UInt64(Limits.deduplicationIDBytesMax),
        "failureMessageBytesMax": UInt64(Limits.failureMessageBytesMax),
        "failureDetailsBytesMax": UInt64(Limits.failureDetailsBytesMax),
        "errorMessageBytesMax": UInt64(Limits.errorMessageBytesMax),
        "jobsPerAddMax": UInt64(Limits.jobsPerAddMax),
        "itemsPerAddMax": UInt64(Limits.itemsPerAddMax),
        "dependenciesPerNodeMax": UInt64(Limits.dependenciesPerNodeMax),
        "queuesPerMessageMax": UInt64(Limits.queuesPerMessageMax),
        "completionsPerFrameMax": UInt64(Limits.completionsPerFrameMax),
        "framesInFlightMax": UInt64(Limits.framesInFlightMax),
        "addWindowBytes": UInt64(Limits.addWindowBytes),
        "pageRowsMax": UInt64(Limits.pageRowsMax),
        "pageBytesMax": UInt64(Limits.pageBytesMax),
        "creditJobsMax": UInt64(Limits.creditJobsMax),
        "creditBytesMax": UInt64(Limits.creditBytesMax),
        "streamsPerConnectionMax": UInt64(Limits.streamsPerConnectionMax),
        "workerJobsMax": UInt64(Limits.workerJobsMax),
        "priorityMax": UInt64(Limits.priorityMax),
        "attemptsMax": UInt64(Limits.attemptsMax),
        "delayMillisecondsMax": Limits.delayMillisecondsMax,
        "lockDurationMillisecondsMin": UInt64(Limits.lockDurationMillisecondsMin),
        "lockDurationMillisecondsMax": UInt64(Limits.lockDurationMillisecondsMax),
        "lockDurationMillisecondsDefault": UInt64(Limits.lockDurationMillisecondsDefault),
        "heartbeatMillisecondsMax": UInt64(Limits.heartbeatMillisecondsMax),
        "helloBytesMax": UInt64(Limits.helloBytesMax),
        "waitMillisecondsMax": UInt64(Limits.waitMillisecondsMax),
        "tokensPerFrameMax": UInt64(Limits.tokensPerFrameMax),
        "metadataBytesMax": UInt64(Limits.metadataBytesMax),
        "reasonBytesMax": UInt64(Limits.reasonBytesMax),
        "childKeyBytesMax": UInt64(Limits.childKeyBytesMax),
        "treeDepthMax": UInt64(Limits.treeDepthMax),
        "nextRunsMax": UInt64(Limits.nextRunsMax),
        "schedulersMax": UInt64(Limits.schedulersMax),
        "schedulerIDBytesMax": UInt64(Limits.schedulerIDBytesMax),
        "groupBytesMax": UInt64(Limits.groupBytesMax),
        "cronBytesMax": UInt64(Limits.cronBytesMax),
        "zoneBytesMax": UInt64(Limits.zoneBytesMax),
        "wallMillisecondsMax": Limits.wallMillisecondsMax,
        "stagedJobsMax": UInt64(Limits.stagedJobsMax),
        "stagedBytesMax": Limits.stagedBytesMax,
        "stagedOutsideMax": UInt64(Limits.stagedOutsideMax),
        "stagedExistingMax": UInt64(Limits.stagedExistingMax),
        "progressBytesMax": UInt64(Limits.progressBytesMax),
        "logLineBytesMax": UInt64(Limits.logLineBytesMax),
        "logLinesPerReportMax": UInt64(Limits.logLinesPerReportMax),
        "logBytesMax": UInt64(Limits.logBytesMax),
        "attemptsKeptMax": UInt64(Limits.attemptsKeptMax),
        "attemptMessageBytesMax": UInt64(Limits.attemptMessageBytesMax),
        "headersBytesMax": UInt64(Limits.headersBytesMax),
        "keepLogsMax": UInt64(Limits.keepLogsMax),
        "keepLogsDefault": UInt64(Limits.keepLogsDefault),
        "eventMessageBytesMax": UInt64(Limits.eventMessageBytesMax),
        "eventBytesMax": UInt64(Limits.eventBytesMax),
        "eventBytesOfServerMax": UInt64(Limits.eventBytesOfServerMax),
        "eventScopesMax": UInt64(Limits.eventScopesMax),
        "eventKeptMilliseconds": Limits.eventKeptMilliseconds,
        "settlingMillisecondsMax": UInt64(Limits.settlingMillisecondsMax),
    ]

    @Test func `every limit stands in the table with its value`() {
        let declared = Repository.text(of: "Sources/PenstockWire/Limits.swift").split(separator: "\n").compactMap {
            line -> String? in
            let words = line.split(whereSeparator: { " :".contains($0) })
            guard words.count > 3, words[1] == "static", words[2] == "let" else { return nil }
            return String(words[3])
        }
        #expect(Set(declared) == Set(DocumentTests.limits.keys))
        var documented: [String: UInt64] = [:]
        for row in DocumentTests.rows(under: "## Limits") where row[0].hasPrefix("`") {
            documented[row[0].replacing("`", with: "")] = UInt64(row[1])
        }
        #expect(documented == DocumentTests.limits)
    }

    @Test func `the limits fit one another`() {
        #expect(Limits.frameBytesMax >= 2 * Limits.payloadBytesMax + Limits.failureDetailsBytesMax + 4096)
        #expect(Limits.frameBytesMax >= Limits.pageBytesMax + Limits.payloadBytesMax + 4096)
        #expect(Limits.frameBytesMax <= Limits.addWindowBytes)
        #expect(Limits.frameBytesMax >= 8 * Limits.tokensPerFrameMax + 64)
        #expect(Limits.frameBytesMax >= Started.Lease.byteCount * Limits.tokensPerFrameMax + 64)
        #expect(Limits.payloadBytesMax <= Limits.creditBytesMax)
        #expect(Limits.nameBytesMax <= 255 && Limits.customIDBytesMax <= 255 && Limits.queueNameBytesMax <= 255)
        #expect(Limits.failureMessageBytesMax <= 65_535 && Limits.errorMessageBytesMax <= 65_535)
        #expect(Limits.completionsPerFrameMax <= 65_535 && Limits.itemsPerAddMax <= 65_535)
        #expect(Limits.helloBytesMax >= FrameHeader.byteCount + 60 + Limits.nameBytesMax)
        #expect(Limits.childKeyBytesMax <= 255 && Limits.schedulerIDBytesMax <= 255 && Limits.cronBytesMax <= 255)
        #expect(Limits.metadataBytesMax < 65_535 && Limits.reasonBytesMax <= 65_535 && Limits.zoneBytesMax <= 255)
        #expect(Limits.treeDepthMax <= Limits.pageRowsMax && Limits.treeDepthMax <= 65_535)
        #expect(Limits.pageRowsMax * (FlowTree.Row.byteCountMin + 2 * 255) + 4096 <= Limits.frameBytesMax)
        let attempt = AttemptList.Row.byteCountMin + 255 + Limits.attemptMessageBytesMax
        #expect(Int(Limits.attemptsKeptMax + 1) * attempt + 4096 <= Limits.pageBytesMax)
        #expect(
            Limits.payloadBytesMax + Limits.progressBytesMax + Limits.logLinesPerReportMax
                * (2 + Limits.logLineBytesMax)
                + 4096 <= Limits.frameBytesMax
        )
        #expect(
            2 * Limits.payloadBytesMax + Limits.progressBytesMax + Limits.headersBytesMax + 4096 <= Limits.frameBytesMax
        )
        #expect(Limits.progressBytesMax <= 65_535 && Limits.eventMessageBytesMax <= Limits.failureMessageBytesMax)
        #expect(Limits.eventBytesMax <= Limits.eventBytesOfServerMax && EventKind.allCases.count <= 32)
        #expect(Limits.pageRowsMax * (SchedulerPage.Row.byteCountMin + 3 * 255) + 4096 <= Limits.frameBytesMax)
        #expect(Limits.pageRowsMax * (JobPage.Row.byteCountMin + 2 * 255) + 4096 <= Limits.frameBytesMax)
        #expect(Limits.pageRowsMax * (QueuePage.Row.byteCountMin + 255) + 4096 <= Limits.frameBytesMax)
        #expect(Limits.pageRowsMax * (GroupPage.Row.byteCountMin + 255) + 4096 <= Limits.frameBytesMax)
    }

    @Test func `the last worker of a full page fits the frame`() {
        let queues = Limits.queuesPerMessageMax * (Limits.queueNameBytesMax + 1)
        let jobs = Limits.workerJobsMax * (WorkerPage.Job.byteCountMin + Limits.queueNameBytesMax)
        let row = WorkerPage.Row.byteCountMin + 3 * 255 + queues + jobs
        #expect(Limits.pageBytesMax + row + FrameHeader.byteCount + 64 <= Limits.frameBytesMax)
    }

    @Test func `the outcome of the largest large add fits a frame`() {
        let items = Limits.itemsPerAddMax * 24
        let existing = Limits.stagedExistingMax * AddOutcome.Existing.byteCount
        #expect(items + existing + Outcome.byteCountMin + FrameHeader.byteCount + 64 <= Limits.frameBytesMax)
    }

    @Test func `a job with the largest data and the largest result fits a reply`() throws {
        let name = String(repeating: "n", count: 255)
        var view = JobView()
        view.queue = name
        view.name = name
        view.customID = name
        view.data = [UInt8](repeating: 1, count: Limits.payloadBytesMax)
        view.outcome = .result(.json, view.data)
        view.progress = Payload(.binary, [UInt8](repeating: 1, count: Limits.progressBytesMax))
        view.deduplication = Deduplication(id: name, ttl: 1)
        view.headers = Headers([Headers.Entry("k", String(repeating: "v", count: Limits.headersBytesMax - 5))])
        var writer = WireWriter()
        view.encodeFrame(into: &writer)
        #expect(writer.count <= Limits.frameBytesMax)
    }

    @Test(arguments: Opcode.allCases)
    func `every opcode stands in the table and has a section`(_ opcode: Opcode) throws {
        let name = DocumentTests.name(of: opcode)
        let digits = String(opcode.rawValue, radix: 16)
        let number = "0x" + (digits.count < 2 ? "0" : "") + digits
        let row = try #require(DocumentTests.rows(under: "## Opcodes").first { $0[0] == number })
        #expect(row[1] == "[\(name)](#\(name.lowercased()))")
        #expect((row[4] == "yes") == opcode.isDurable)
        #expect(DocumentTests.lines.contains("### \(name)"))
        let (senders, _) = GoldenVectorTests.frames(of: opcode)
        #expect(row[2] == (senders.count == 2 ? "both" : senders[0].rawValue))
    }

    @Test func `every message is named`() {
        let text = DocumentTests.lines.joined(separator: "\n")
        for kind in MessageKind.all { #expect(text.contains(kind.name), "\(kind.name) is not named") }
    }

    @Test func `every number with a meaning stands in its table`() {
        check("### Job states", JobState.allCases)
        check("### Failure causes", FailureCause.allCases)
        check("### Kinds of dependencies", DependencyKind.allCases)
        check("### Failure policies", FailurePolicy.allCases)
        check("### Flow statuses", FlowStatus.allCases)
        check("### Reasons of a revocation", Revoked.Reason.allCases)
        check("### Backoff", BackoffKind.allCases)
        check("### Edge conditions", EdgeCondition.allCases)
        check("### Missed runs", MissedRuns.allCases)
        check("### Endings of an attempt", AttemptEnding.allCases)
        check("### Reasons to stand for another job", AddOutcome.Reason.allCases)
        check("### Kinds of events", EventKind.allCases)
        let options = DocumentTests.rows(under: "### ADD").filter { $0.count == 5 && Int($0[1]) != nil }
        let tags: [(String, UInt16)] = [
            ("priority", OptionTag.priority), ("delay", OptionTag.delay), ("attempts", OptionTag.attempts),
            ("backoff", OptionTag.backoff), ("lifo", OptionTag.lifo), ("customID", OptionTag.customID),
            ("rejectExisting", OptionTag.rejectExisting), ("onFailure", OptionTag.onFailure),
            ("maxStalledCount", OptionTag.maxStalledCount), ("cancelSiblings", OptionTag.cancelSiblings),
            ("childKey", OptionTag.childKey), ("repeatEvery", OptionTag.repeatEvery),
            ("keepCompleted", OptionTag.keepCompleted), ("keepFailed", OptionTag.keepFailed),
            ("timeout", OptionTag.timeout), ("ttl", OptionTag.ttl), ("keepLogs", OptionTag.keepLogs),
            ("maxStarted", OptionTag.maxStarted), ("deduplication", OptionTag.deduplication),
            ("group", OptionTag.group), ("headers", OptionTag.headers), ("at", OptionTag.at),
        ]
        #expect(options.map { "\($0[0]) \($0[1])" } == tags.map { "\($0.0) \($0.1)" })
        #expect(tags.last?.1 == OptionTag.last)
        let itemOptions = DocumentTests.rows(under: "### ADD").filter { $0.count == 4 && Int($0[1]) != nil }
        #expect(itemOptions.map { "\($0[0]) \($0[1])" } == ["child 1", "metadata 2"])
        #expect(ItemOptionTag.last == 2)
    }

    @Test func `links lead to sections`() {
        let text = DocumentTests.lines.joined(separator: "\n")
        let anchors = Set(
            DocumentTests.lines.filter { $0.hasPrefix("#") }.map { line in
                line.drop { $0 == "#" || $0 == " " }.lowercased().replacing(" ", with: "-")
                    .filter { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
            }
        )
        for link in text.matches(of: /\]\(#([^)]+)\)/) { #expect(anchors.contains(String(link.1)), "\(link.1)") }
    }

    @Test func `the bytes of the example are what the codec makes`() throws {
        let documented = DocumentTests.exampleFrames()
        let made = DocumentTests.example()
        #expect(documented.count == made.count)
        for (index, pair) in zip(documented, made).enumerated() {
            #expect(pair.0 == pair.1, "frame \(index + 1) of the example")
        }
    }

    /// The frames of the example, made by the codec.
    private static func example() -> [[UInt8]] {
        let leases = [LeaseToken(epoch: 1, counter: 1), LeaseToken(epoch: 1, counter: 2)]
        var attempts = NodeOptions()
        attempts.attempts = 3
        let nodes = [
            AddNode(queue: 0, name: "send", contentType: .json, data: Array(#"{"to":1}"#.utf8)),
            AddNode(queue: 1, name: "count", dependencies: [DependencyFields(.node(0))], options: attempts),
        ]
        let add = Add(
            sequence: 1,
            queues: ["mail", "report"],
            items: [AddItem(isFlow: true, name: "welcome", nodes: nodes)]
        )
        var ids = WireWriter()
        AddOutcome(items: [AddOutcome.Item(flow: FlowID(1), first: JobID(1), nodes: 2)]).encode(into: &ids)
        func delivery(_ job: UInt64) -> Delivery {
            Delivery(
                slot: 0,
                token: leases[Int(job - 1)],
                job: JobID(job),
                flow: FlowID(1),
                queue: UInt16(job - 1),
                attempts: job == 1 ? 1 : 3,
                attemptsMade: 0,
                hasDependencies: job == 2,
                contentType: job == 1 ? .json : .none,
                attemptsStarted: 1,
                stalledCount: 0,
                priority: 0,
                createdAt: 1_700_000_000_000,
                name: nodes[Int(job - 1)].name,
                data: nodes[Int(job - 1)].data
            )
        }
        return [
            frame(
                Hello(
                    session: SessionID(high: 0x0102_0304_0506_0708, low: 0x090a_0b0c_0d0e_0f10),
                    mode: .open,
                    client: "example"
                ),
                correlation: 1
            ),
            frame(
                Welcome(
                    resumed: false,
                    database: SessionID(high: 0xa1a2_a3a4_a5a6_a7a8, low: 0xb1b2_b3b4_b5b6_b7b8),
                    epoch: 1,
                    lastApplied: 0,
                    heartbeat: 10_000,
                    server: "penstock 1.0.0"
                ),
                correlation: 1
            ),
            frame(Subscribe(queues: ["mail", "report"], creditJobs: 1, worker: "w1"), correlation: 2, stream: 1),
            frame(Subscribed(heartbeat: 10_000), correlation: 2, stream: 1),
            frame(add),
            frame(
                Applied(
                    commit: 12,
                    outcomes: [Outcome(sequence: 1, count: 1, index: 0, status: 0, body: ids.bytes)]
                )
            ),
            frame(Deliver(deliveries: [delivery(1)]), stream: 1),
            frame(
                Complete(
                    sequence: 2,
                    completions: [
                        Completion(slot: 0, token: leases[0], contentType: .json, result: Array("true".utf8))
                    ]
                )
            ),
            frame(
                Applied(commit: 13, outcomes: [Outcome(sequence: 2, count: 1, index: 0, status: 0, body: [])])
            ),
            frame(Deliver(deliveries: [delivery(2)]), stream: 1),
            frame(Heartbeat(number: 2)),
        ]
    }

    private static func frame<Message: WireMessage>(
        _ message: Message,
        correlation: UInt32 = 0,
        stream: UInt32 = 0
    ) -> [UInt8] {
        var writer = WireWriter()
        message.encodeFrame(into: &writer, correlation: correlation, stream: stream)
        return writer.bytes
    }

    /// The bytes of each fenced block of hexadecimal.
    private static func exampleFrames() -> [[UInt8]] {
        var frames: [[UInt8]] = []
        var isInside = false
        for line in lines {
            if line == "```hex" {
                isInside = true
                frames.append([])
            } else if line == "```" {
                isInside = false
            } else if isInside {
                frames[frames.count - 1] += Vector.hexadecimal(line)
            }
        }
        return frames
    }

    /// The document's name of an opcode: `getFlowNodes` is GET_FLOW_NODES.
    private static func name(of opcode: Opcode) -> String {
        String(describing: opcode).map { $0.isUppercase ? "_\($0)" : $0.uppercased() }.joined()
    }

    /// The cells of the tables below a heading, up to the next one of the same level or above.
    private static func rows(under heading: String) -> [[String]] {
        guard let start = lines.firstIndex(where: { $0 == heading }) else { return [] }
        let level = heading.prefix { $0 == "#" }.count
        return lines[(start + 1)...]
            .prefix { !($0.hasPrefix("#") && $0.prefix { $0 == "#" }.count <= level) }
            .filter { $0.hasPrefix("|") && !$0.hasPrefix("|--") }
            .map { line in
                line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false)
                    .map { $0.trimmingCharacters(in: .whitespaces) }
            }
    }

    private func check<Case: RawRepresentable>(_ heading: String, _ cases: [Case]) where Case.RawValue == UInt8 {
        let rows = DocumentTests.rows(under: heading).filter { Int($0[0]) != nil }
        #expect(rows.map { "\($0[0]) \($0[1])" } == cases.map { "\($0.rawValue) `\($0)`" })
    }
}

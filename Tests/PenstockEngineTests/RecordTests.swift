import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// The layouts of the rows are a promise to every later version: their bytes are written down here.
@Suite(.computing) struct RecordTests {
    private func bytes(_ body: (inout WireWriter) -> Void) -> [UInt8] {
        var writer = WireWriter()
        body(&writer)
        return writer.bytes
    }

    private var record: JobRecord {
        var record = JobRecord()
        record.state = .failed
        record.cause = .dependency
        record.flags = [.hasDependencies, .isSink]
        record.queue = QueueID(0x0102_0304)
        record.priority = 0x0001_0203
        record.place = 0x8000_0000_0000_0005
        record.flow = FlowID(6)
        record.attempts = 0x0107
        record.attemptsMade = 0x0208
        record.attemptsStarted = 0x0304_0009
        record.stalledCount = 0x010A
        record.maxStalledCount = 0x020B
        record.onFailure = .wait
        record.outcome = .failure
        record.contentType = .text
        record.createdAt = 0x0C
        record.startedAt = 0x0D
        record.finishedAt = 0x0E
        record.due = 0x0F
        record.firstDependent = JobID(0x10)
        record.firstDependentPosition = 0x11
        record.dependents = 0x12
        record.outcomeBytes = 0x13
        record.dependencies.counting = 0x14
        record.dependencies.unprocessed = 0x15
        record.dependencies.processed = 0x16
        record.dependencies.ignored = 0x17
        record.dependencies.failed = 0x18
        record.dependencies.positions = 0x19
        record.dependencies.detachedBelow = 0x1A
        record.dependencies.failedDependency = JobID(0x1B)
        record.dependencies.held = 0x1C
        record.dependencies.failedFrom = 0x1D
        record.dependencies.attached = 0x1E
        record.marks = [.isSkipped, .cancelsSiblings]
        return record
    }

    @Test func `a job's record has the layout of its version`() throws {
        let written = bytes { record.encode(into: &$0) }
        let golden: [UInt8] = [
            0, 0, 0, 0, 1, 5, 5, 0x11, 4, 3, 2, 1, 3, 2, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0x80, 6, 0, 0, 0, 0, 0, 0, 0,
            7, 1, 8, 2, 9, 0, 4, 3, 0x0A, 1, 0x0B, 2, 4, 2, 3, 3, 0x0C, 0, 0, 0, 0, 0, 0, 0, 0x0D, 0, 0, 0, 0, 0, 0, 0,
            0x0E, 0, 0, 0, 0, 0, 0, 0, 0x0F, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x11, 0, 0, 0, 0x12, 0, 0,
            0,
            0x13, 0, 0, 0, 0x14, 0, 0, 0, 0x15, 0, 0, 0, 0x16, 0, 0, 0, 0x17, 0, 0, 0, 0x18, 0, 0, 0, 0x19, 0, 0, 0,
            0x1A, 0, 0, 0, 0x1B, 0, 0, 0, 0, 0, 0, 0, 0x1C, 0, 0, 0, 0x1D, 0, 0, 0, 0x1E, 0, 0, 0,
        ]
        #expect(written == golden)
        #expect(written.count == record.fixedBytes)
        let read = try JobRecord(written.rawSpan)
        #expect(bytes { read.encode(into: &$0) } == golden)
    }

    @Test func `a row has room for a small outcome from the start, and grows only for a larger one`() throws {
        let engine = try EngineHarness()
        for (count, room) in [(0, 28), (28, 28), (29, 29), (64, 64), (65, 28)] {
            let id = try engine.add(job("a"))
            #expect(try engine.dump().inlineBytes[id] == 28)
            try engine.complete(id, .binary, [UInt8](repeating: 1, count: count))
            #expect(try engine.dump().inlineBytes[id] == room)
            #expect(try engine.view(id).outcome == .result(.binary, [UInt8](repeating: 1, count: count)))
        }
    }

    @Test func `an edge has the layout of its version`() throws {
        var edge = EdgeRecord(dependency: JobID(0x0102), policy: .wait, kind: .unprocessed)
        edge.isHeld = true
        let written = bytes { edge.encode(into: &$0) }
        #expect(written == [2, 1, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0, 0, 0])
        let read = try EdgeRecord(written.rawSpan)
        #expect(read.dependency == JobID(0x0102) && read.policy == .wait && read.kind == .unprocessed && read.isHeld)
    }

    @Test func `a record that is cut short, or holds what nobody knows, is refused`() {
        let written = bytes { record.encode(into: &$0) }
        for count in 0..<written.count {
            let cut = Array(written.prefix(count))
            #expect(throws: WireError.self) { try JobRecord(cut.rawSpan) }
        }
        for (offset, value) in [(4, 2), (5, 7), (6, 7), (44, 5), (45, 3)] as [(Int, UInt8)] {
            var changed = written
            changed[offset] = value
            #expect(throws: WireError.self) { try JobRecord(changed.rawSpan) }
        }
    }
}

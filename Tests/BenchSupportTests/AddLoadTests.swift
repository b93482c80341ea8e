import PenstockWire
import Testing

@testable import PenstockBench

struct AddLoadTests {
    private func session(window: Int = 1 << 20) -> SessionNumbers {
        SessionNumbers(framesInFlightMax: 100, addWindowBytes: window)
    }

    private func frames(_ writer: WireWriter) throws -> [Add] {
        var splitter = FrameSplitter()
        var frames: [Add] = []
        try splitter.push(writer.span) { _, body throws(WireError) in
            frames.append(try Add(body: body))
            return true
        }
        return frames
    }

    @Test func `each frame is the same but for its number`() throws {
        let source = JobSource(payloadBytes: 5)
        var load = AddLoad(source.jobs(2), queues: [source.queue], frames: 3, outstandingMax: 10)
        var session = session()
        var writer = WireWriter()
        load.write(into: &writer, session: &session, at: 7)
        let frames = try frames(writer)
        #expect(frames.map(\.sequence) == [1, 2, 3])
        #expect(frames.allSatisfy { $0.items == source.jobs(2) && $0.queues == [source.queue] })
        #expect(load.framesLeft == 0 && load.beganAt == 7)
        #expect(writer.count == 3 * load.frameBytes)
    }

    @Test func `the bound on outstanding frames holds`() throws {
        let source = JobSource(payloadBytes: 5)
        var load = AddLoad(source.jobs(1), queues: [source.queue], frames: 3, outstandingMax: 1)
        var session = session()
        var writer = WireWriter()
        for sent in 1...3 {
            load.write(into: &writer, session: &session, at: 7)
            load.write(into: &writer, session: &session, at: 8)
            #expect(load.framesLeft == 3 - sent)
            try session.acknowledge(first: UInt64(sent), count: 1, at: 9)
        }
    }

    @Test func `the add window holds`() {
        let source = JobSource(payloadBytes: 5)
        var load = AddLoad(source.jobs(1), queues: [source.queue], frames: 3, outstandingMax: 10)
        var session = session(window: 2 * load.frameBytes + 1)
        var writer = WireWriter()
        load.write(into: &writer, session: &session, at: 7)
        #expect(load.framesLeft == 1)
    }

    @Test func `flows name their children by their place in the message`() {
        let flows = JobSource(payloadBytes: 0).flows(2, children: 2)
        #expect(flows.allSatisfy { $0.isFlow && $0.nodes.count == 3 })
        let parents = flows.compactMap(\.nodes.last)
        #expect(parents.map { $0.dependencies.map(\.target) } == [[.node(0), .node(1)], [.node(3), .node(4)]])
        #expect(parents.allSatisfy { $0.queue == 1 })
    }
}

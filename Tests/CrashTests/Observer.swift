import PenstockWire

/// Reads what the server shows, over a session of its own.
final class Observer {
    private let connection: WireConnection
    private var next: UInt32 = 1_000_000
    /// Requests sent ahead of their answers.
    private static let ahead = 128

    init(port: Int) throws {
        connection = try WireConnection(port: port)
        _ = try ask([Hello(session: .random(), mode: .open, client: "observer")], Welcome.self)
    }

    func server() throws -> ServerView { try one(GetServer(), ServerView.self) }

    func queues(_ names: [String]) throws -> [String: StateCounts] {
        var counts: [String: StateCounts] = [:]
        for (name, view) in zip(names, try ask(names.map { GetQueue(queue: $0) }, QueueView.self)) {
            counts[name] = view?.counts ?? StateCounts()
        }
        return counts
    }

    func jobs(_ ids: [JobID]) throws -> [JobID: JobView?] {
        Dictionary(
            uniqueKeysWithValues: zip(ids, try ask(ids.map { GetJob(job: .id($0)) }, JobView.self))
        )
    }

    func flows(_ ids: [FlowID]) throws -> [FlowID: Observation.Flow?] {
        let views = try ask(ids.map { GetFlow(flow: $0) }, FlowView.self)
        let nodes = try ask(ids.map { GetFlowNodes(flow: $0) }, FlowNodePage.self)
        let edges = try ask(ids.map { GetFlowEdges(flow: $0) }, FlowEdgePage.self)
        var flows: [FlowID: Observation.Flow?] = [:]
        for (place, id) in ids.enumerated() {
            guard let view = views[place], let nodes = nodes[place], let edges = edges[place] else {
                flows[id] = .some(nil)
                continue
            }
            // The flows of these tests fit a page.
            guard nodes.next == 0, edges.next == .start else { throw CrashError.failed("flow \(id) has pages") }
            flows[id] = Observation.Flow(view: view, nodes: nodes.rows, edges: edges.rows)
        }
        return flows
    }

    private func one<Reply: WireMessage>(_ request: some WireMessage, _ type: Reply.Type) throws -> Reply {
        guard let reply = try ask([request], type)[0] else { throw CrashError.failed("no answer to \(request)") }
        return reply
    }

    /// The answers in the order of the requests; nil for what does not exist.
    func ask<Reply: WireMessage>(_ requests: [some WireMessage], _ type: Reply.Type) throws -> [Reply?] {
        var answers = [Reply?](repeating: nil, count: requests.count)
        let first = next
        next += UInt32(requests.count)
        var sent = 0
        var got = 0
        while got < requests.count {
            var writer = WireWriter()
            while sent < requests.count && sent - got < Observer.ahead {
                requests[sent].encodeFrame(into: &writer, correlation: first + UInt32(sent))
                sent += 1
            }
            if writer.count > 0 { try connection.send(writer.bytes) }
            guard let frame = try connection.receive(milliseconds: 20_000) else {
                throw CrashError.failed("no answer to a read in 20 s")
            }
            guard frame.header.flags.contains(.reply), frame.header.correlation >= first else { continue }
            got += 1
            switch frame.error {
            case nil: answers[Int(frame.header.correlation - first)] = try frame.decode(Reply.self)
            case .refused(.jobNotFound, _), .refused(.flowNotFound, _), .refused(.queueNotFound, _): break
            case let error?: throw error
            }
        }
        return answers
    }
}

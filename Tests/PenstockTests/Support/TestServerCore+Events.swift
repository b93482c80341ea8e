import DequeModule
import PenstockWire

// Listeners are told what a test says.

extension TestServerCore {
    func listen(_ connection: TestServerHandler, _ header: FrameHeader, _ message: Listen) {
        listens.append(message)
        if let error = scripted[.listen]?.popFirst() { return connection.refuse(header, error) }
        listeners[header.stream] = connection
        let sequence = message.since == 0 ? 100 : message.since
        connection.send(Listening(sequence: sequence), correlation: header.correlation, stream: header.stream)
    }

    /// Tells every listener of events with these numbers, or of a gap.
    func tell(_ numbers: [UInt64] = [], lost: UInt64 = 0, bytes: Int = 0) {
        let events = numbers.map { number in
            var head = EventHead(.completed)
            head.sequence = number
            head.job = JobID(number)
            return Event(head, queue: "q", name: "job", data: [UInt8](repeating: 1, count: bytes))
        }
        for (stream, connection) in listeners {
            connection.send(Events(lost: lost, events), stream: stream)
            connection.flush()
        }
    }
}

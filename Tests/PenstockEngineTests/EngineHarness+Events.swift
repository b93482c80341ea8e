import PenstockWire

@testable import PenstockEngine

/// What an engine tells those who listen.
extension EngineHarness {
    func hear(_ scope: Listen.Scope = .all, isOn: Bool = true) throws {
        var body = WireWriter()
        scope.encode(into: &body)
        let range = batch.keep(body.span)
        stage(isOn ? .listen : .unlisten, session) { $0.body = range }
        try commit()
    }

    /// The events of the last batch.
    func events() throws -> [Event] {
        let bytes = result.events.bytes.bytes
        return try result.events.entries.map { entry in
            let event = Array(bytes[entry.range.indices])
            var reader = WireReader(event.rawSpan)
            return try Event(from: &reader)
        }
    }

    /// The events of the last batch in words: whose, and what.
    func told() throws -> [String] {
        try events().map { event in
            let name = event.head.kind == .flowFinished ? "flow" : event.name
            return name.isEmpty ? "\(event.queue) \(event.head.kind)" : "\(name) \(event.head.kind)"
        }
    }
}

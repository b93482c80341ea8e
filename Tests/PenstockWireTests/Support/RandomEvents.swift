import PenstockWire

/// Random listeners, and what they are told.
extension SeededRandom {
    mutating func listen() -> Listen {
        let scope: Listen.Scope =
            switch below(3) {
            case 0: .all
            case 1: .queue(text(120, least: 1))
            default: .flow(FlowID(1 + number() >> 1))
            }
        let kinds = EventKinds(rawValue: UInt32(1 + below(Int(EventKinds.all.rawValue))))
        return Listen(scope, kinds: kinds, since: number(), creditBytes: number())
    }

    mutating func event() -> Event {
        var head = EventHead(one(of: EventKind.allCases))
        head.sequence = number()
        head.time = number()
        head.detail = number()
        head.contentType = ContentType(rawValue: number())
        head.attempt = number()
        head.delay = number()
        head.job = job()
        head.flow = flow()
        return Event(head, queue: text(), name: text(), data: Array(text().utf8))
    }
}

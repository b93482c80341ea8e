import PenstockWire

/// Takes jobs and completes, fails, releases or keeps them; now and then it tries tokens that must not work.
struct WorkerClient {
    static let credits: UInt32 = 8

    let client: SessionClient
    /// Jobs that are kept, until when.
    private var kept: [LeaseToken: UInt64] = [:]

    init(client: SessionClient) { self.client = client }

    func subscribe() throws { try client.subscribe(Producer.queues, jobs: WorkerClient.credits) }

    mutating func load() throws {
        let now = Threads.nanoseconds
        var ends: [Ledger.Kind] = []
        var released: [LeaseToken] = []
        for token in takeArrived() {
            switch Int.random(in: 0..<100, using: &client.random) {
            case 0..<10: kept[token] = now + UInt64.random(in: 0..<1_500_000_000, using: &client.random)
            case 10..<15: released.append(token)
            case 15..<30: ends.append(.fail(token, unrecoverable: client.random.chance(20)))
            default: ends.append(completion(token))
            }
        }
        for (token, until) in kept where until <= now {
            kept[token] = nil
            if client.held[token] != nil { ends.append(completion(token)) }
        }
        try client.finish(ends)
        if !released.isEmpty { try client.release(released) }
        try misuse(ends)
    }

    /// Completes all that is there, and fails only a little.
    mutating func drain() throws {
        _ = takeArrived()
        kept.removeAll()
        try client.finish(
            client.held.filter { !$0.value.isFinishing }.map { token, _ in
                client.random.chance(5) ? .fail(token, unrecoverable: false) : completion(token)
            }
        )
    }

    private mutating func takeArrived() -> [LeaseToken] {
        defer { client.arrived.removeAll() }
        return client.arrived.filter { client.held[$0] != nil }
    }

    private func completion(_ token: LeaseToken) -> Ledger.Kind {
        let padding = client.random.chance(5) ? 3000 : Int.random(in: 0...80, using: &client.random)
        return .complete(token, result: Array("result of \(token) ".utf8) + Array(repeating: 0x2E, count: padding))
    }

    private func misuse(_ ends: [Ledger.Kind]) throws {
        guard client.random.chance(10) else { return }
        var tokens: [LeaseToken] = []
        if let token = client.dead.randomElement(using: &client.random) { tokens.append(token) }
        if let token = ends.first?.token { tokens.append(token) }
        if let token = client.journal.foreignToken(to: client.index, &client.random) { tokens.append(token) }
        tokens.append(LeaseToken(epoch: client.epoch, counter: 1 << 39))
        for token in tokens where client.random.chance(50) {
            let kind: Ledger.Kind =
                client.random.chance(50)
                ? .complete(token, result: Array("stolen".utf8)) : .fail(token, unrecoverable: true)
            try client.finish([kind], mustBeFenced: true)
        }
    }
}

import PenstockWire

/// What a client's thread does from the first connection to the end of the run.
struct ClientThread {
    let stage: Stage
    let client: SessionClient
    var worker: WorkerClient?

    init(index: Int, isWorker: Bool, stage: Stage, journal: Journal, seed: UInt64) {
        self.stage = stage
        client = SessionClient(index: index, journal: journal, seed: seed &+ UInt64(index) &* 7919)
        worker = isWorker ? WorkerClient(client: client) : nil
    }

    mutating func run() {
        var round = -1
        while stage.phase != .stop {
            do {
                if client.isConnected, round != stage.round, stage.port == nil { client.disconnect() }
                if !client.isConnected {
                    guard let port = stage.port else {
                        Threads.sleep(milliseconds: 1)
                        continue
                    }
                    try client.connect(port: port)
                    try worker?.subscribe()
                }
                round = stage.round
                try act(round)
            } catch CrashError.disconnected {
                client.disconnect()
                Threads.sleep(milliseconds: 2)
            } catch CrashError.refused(.draining, _) {
                client.disconnect()
                Threads.sleep(milliseconds: 10)
            } catch {
                client.journal.violation("client \(client.index): \(error)")
                client.disconnect()
                Threads.sleep(milliseconds: 50)
            }
        }
    }

    private mutating func act(_ round: Int) throws {
        switch stage.phase {
        case .load:
            // A server that is about to stop has said so; what it does not read is sent after the resume.
            if !client.isGoingAway {
                try worker?.load()
                if worker == nil { try Producer(client: client).load() }
                if client.random.chance(10) { try client.heartbeat() }
            }
            try client.pump(milliseconds: 1)
        case .drain:
            if !client.isGoingAway { try worker?.drain() }
            try client.pump(milliseconds: 1)
        case .settle, .rest, .stop:
            if client.pending.isEmpty { stage.settled(client.index, round: round) }
            try client.pump(milliseconds: 2)
        }
    }
}

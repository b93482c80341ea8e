import PenstockWire

/// A client that leads flows through their lives: by hand, as their worker, and with schedulers.
///
/// Its thread alone uses it, but while the stage is at rest: then whoever compares may look at it.
final class Operator: @unchecked Sendable {
    private static let flows = 5
    private static let schedulers = 2

    let index: Int
    let session: CommandSession
    private let stage: Stage
    private let wide: Int
    private var random: SplitMix
    private(set) var scripts: [FlowScript] = []
    private(set) var closed: [FlowScript] = []
    let schedulers: [SchedulerScript]
    private var made = 0
    private var isResuming = false
    /// Jobs that were delivered before their add was answered.
    private var unclaimed: [JobID: Delivery] = [:]
    private var desk: String { "desk-\(index)" }

    /// - Parameter wide: the jobs of a wide flow.
    init(index: Int, stage: Stage, wide: Int, seed: UInt64) {
        self.index = index
        self.stage = stage
        self.wide = wide
        random = SplitMix(seed: seed &+ UInt64(index) &* 7919)
        session = CommandSession(name: "operator-\(index)")
        schedulers = (0..<Operator.schedulers).map { SchedulerScript(id: "tick-\(index)-\($0)") }
        session.onDelivery = { [unowned self] in take($0) }
        session.onLoss = { [unowned self] in lost($0) }
    }

    // MARK: Its thread

    func run() {
        var round = -1
        while stage.phase != .stop {
            do {
                if session.isConnected, round != stage.round, stage.port == nil { session.disconnect() }
                if !session.isConnected {
                    round = stage.round
                    guard let port = stage.port else {
                        stage.settled(index, round: round)
                        Threads.sleep(milliseconds: 1)
                        continue
                    }
                    try connect(port)
                }
                round = stage.round
                try act(round)
            } catch CrashError.disconnected {
                session.disconnect()
                Threads.sleep(milliseconds: 2)
            } catch CrashError.refused(.draining, _) {
                session.disconnect()
                Threads.sleep(milliseconds: 10)
            } catch {
                session.violation("\(error)")
                session.disconnect()
                Threads.sleep(milliseconds: 50)
            }
        }
    }

    private func connect(_ port: Int) throws {
        isResuming = true
        defer { isResuming = false }
        try session.connect(port: port)
        try session.subscribe([desk] + schedulers.map(\.queue), jobs: 16)
    }

    private func act(_ round: Int) throws {
        switch stage.phase {
        case .load:
            if !session.isGoingAway { try load() }
            try session.pump(milliseconds: 1)
        case .settle, .drain:
            if session.isIdle { stage.settled(index, round: round) }
            try session.pump(milliseconds: 2)
        case .rest, .stop:
            stage.settled(index, round: round)
            Threads.sleep(milliseconds: 100)
            // Whoever looks may take longer than a silent connection lives.
            try session.heartbeat()
        }
    }

    private func load() throws {
        closed += scripts.filter(\.isClosed)
        scripts.removeAll(where: \.isClosed)
        while scripts.count < Operator.flows { scripts.append(script()) }
        for script in scripts where try script.step(session, &random) { stage.startedLargeEffect() }
        for scheduler in schedulers { try scheduler.step(session, &random) }
        for delivery in unclaimed.values { try claim(delivery) }
        if random.chance(5) { try session.heartbeat() }
    }

    private func script() -> FlowScript {
        made += 1
        let wideOnes = scripts.count { if case .wide = $0.kind { true } else { false } }
        let kind: FlowScript.Kind =
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<25: .held
            case 25..<40: .staged(isAbandoned: random.chance(20))
            case 40..<60 where wideOnes < 2: .wide(wide)
            default: .graph
            }
        return FlowScript(name: "\(index)-\(made)", desk: desk, kind: kind, &random)
    }

    // MARK: Leases

    private func take(_ delivery: Delivery) { unclaimed[delivery.job] = delivery }

    private func claim(_ delivery: Delivery) throws {
        if delivery.queue > 0 {
            unclaimed[delivery.job] = nil
            return try schedulers[Int(delivery.queue) - 1].complete(delivery, session)
        }
        for script in scripts + closed where script.ids.first == delivery.job {
            script.lease = delivery
            unclaimed[delivery.job] = nil
        }
    }

    private func lost(_ token: LeaseToken) {
        unclaimed = unclaimed.filter { $0.value.token != token }
        for script in scripts where script.lease?.token == token { script.lost(byRestart: isResuming) }
    }
}

import PenstockEngine
import PenstockWire
import TestSupport
import Testing

@testable import PenstockServer

/// Random histories of a dispatcher against plain sorted lists. Nothing lags behind here, so whatever is granted can be
/// told beforehand: the first of its queue, from the queue whose turn it is, and everything that the gates let through.
@Suite(.computing) struct DispatchOrderTests {
    @Test(arguments: 0..<150 as Range<UInt64>)
    func `every grant is the first of the exact order, and none that the gates let through is left out`(seed: UInt64) {
        var random = TestRandom(seed: seed)
        let steps = (0..<400).map { _ in DispatchStep(from: &random) }
        var run = OrderRun(seed: seed)
        guard run.problem(in: steps) != nil else {
            let grants = run.grantCount
            #expect(grants > 10)
            return
        }
        let shortest = OrderRun.shrunk(seed, steps)
        var again = OrderRun(seed: seed)
        let problem = again.problem(in: shortest) ?? ""
        Issue.record("\(problem)\(shortest.map { "\n    \($0)" }.joined())")
    }
}

/// What happens to a dispatcher. Numbers choose among what there is when its turn comes: any part of a history is one.
enum DispatchStep {
    enum Ending {
        case complete
        /// At the tail of the priority.
        case retry(priority: UInt32)
        /// At its place: it stalled, or was given back.
        case giveBack
    }

    case add(queue: Int, priority: UInt32, isFirst: Bool)
    /// A command ends a lease, and is not durable yet.
    case end(Int, Ending)
    case commit
    /// A command takes a job away, leased or not.
    case withdraw(Int)
    case update(Int, priority: UInt32)
    case set(queue: Int, QueueSettings)
    case rest(queue: Int, UInt64)
    case pass(UInt64)
    case subscribe(queues: [Int], weights: [UInt8], credits: Int)
    case unsubscribe(Int)
    case credit(Int, jobs: Int)
    /// Of the leases every second is written, or every third ...
    case restart(writtenOneIn: Int)

    static let queueCount = 3

    init(from random: inout TestRandom) {
        let queue = random.below(DispatchStep.queueCount)
        let priority = UInt32(random.oneIn(3) ? random.below(3) : 0)
        let number = random.below(1 << 20)
        switch random.below(24) {
        case 0...7: self = .add(queue: queue, priority: priority, isFirst: random.oneIn(6))
        case 8: self = .end(number, .retry(priority: priority))
        case 9: self = .end(number, .giveBack)
        case 10...12: self = .end(number, .complete)
        case 13, 14: self = .commit
        case 15: self = .withdraw(number)
        case 16: self = .update(number, priority: priority)
        case 17:
            var settings = QueueSettings()
            settings.isPaused = random.oneIn(3)
            if random.oneIn(2) { settings.concurrency = UInt32(1 + random.below(3)) }
            if random.oneIn(2) { settings.rate = RateLimit(max: UInt32(1 + random.below(3)), window: 100) }
            self = .set(queue: queue, settings)
        case 18: self = random.oneIn(2) ? .rest(queue: queue, UInt64(random.below(80))) : .credit(number, jobs: 3)
        case 19, 20: self = .pass(UInt64(random.below(60)))
        case 21:
            let queues = Array(Array(0..<DispatchStep.queueCount).shuffled(using: &random).prefix(1 + random.below(3)))
            let weights = random.oneIn(2) ? [] : queues.map { _ in UInt8(1 + random.below(3)) }
            self = .subscribe(queues: queues, weights: weights, credits: random.below(9))
        case 22: self = random.oneIn(2) ? .unsubscribe(number) : .credit(number, jobs: random.below(4))
        default: self = random.oneIn(4) ? .restart(writtenOneIn: 1 + random.below(3)) : .commit
        }
    }
}

/// A dispatcher, and beside it what it should know.
struct OrderRun: ~Copyable {
    struct Problem: Error { var text: String }

    /// What holds a queue's grants back.
    struct PlainGate {
        var settings = QueueSettings()
        /// When the window began, and what was granted in it.
        var window: (begin: UInt64, count: UInt32)?
        var restsUntil: UInt64 = 0

        func isOpen(now: UInt64, running: Int) -> Bool {
            if settings.isPaused || now < restsUntil { return false }
            if settings.concurrency > 0 && running >= Int(settings.concurrency) { return false }
            guard settings.rate.max > 0, let window, now < window.begin + settings.rate.window else { return true }
            return window.count < settings.rate.max
        }

        mutating func take(now: UInt64) {
            if let begin = window?.begin, now < begin + settings.rate.window {
                window!.count += 1
            } else {
                window = (now, 1)
            }
        }
    }

    struct Taker {
        var id: SubscriptionID
        let queues: [Int]
        let weights: [UInt8]
        var credits: Int
        /// The index of the queue whose turn it is, and what it has given in it.
        var next = 0
        var given: UInt8 = 0
    }

    struct Held {
        let grant: Grant
        /// Whose credit it takes; nobody's after a restart.
        var taker: SubscriptionID?
        var ending: DispatchStep.Ending?
    }

    var dispatcher: Dispatcher
    /// The ready index, with what is leased and not written.
    var source = TestSource()
    var gates = Array(repeating: PlainGate(), count: DispatchStep.queueCount)
    var takers: [Taker] = []
    var held: [JobID: Held] = [:]
    var grantCount = 0
    var now: UInt64 = 1_000
    var epoch: UInt64 = 1
    var jobs: UInt64 = 0
    var tail: UInt64 = 1 << 63
    var head: UInt64 = 1 << 63
    let configuration: Dispatcher.Configuration

    init(seed: UInt64) {
        configuration = Dispatcher.Configuration(
            windowEntriesMax: [2, 4, 64][Int(seed % 3)],
            entriesMax: 192,
            refillEntriesMax: [2, 5][Int(seed % 2)]
        )
        dispatcher = Dispatcher(epoch: epoch, configuration: configuration)
    }

    /// What goes wrong in the history; nil where nothing does.
    mutating func problem(in steps: [DispatchStep]) -> String? {
        do {
            for step in steps {
                perform(step)
                try grantAll()
            }
        } catch { return error.text }
        return nil
    }

    /// The history without what can be left out.
    static func shrunk(_ seed: UInt64, _ steps: [DispatchStep]) -> [DispatchStep] {
        var best = steps
        var size = best.count / 2
        while size > 0 {
            var from = 0
            while from < best.count {
                var kept = best
                kept.removeSubrange(from..<min(from + size, kept.count))
                var run = OrderRun(seed: seed)
                if run.problem(in: kept) == nil { from += size } else { best = kept }
            }
            size /= 2
        }
        return best
    }

    // MARK: Steps

    mutating func perform(_ step: DispatchStep) {
        switch step {
        case .add(let queue, let priority, let isFirst):
            jobs += 1
            let entry = ReadyEntry(
                queue: QueueID(UInt32(queue)),
                turn: Turn(priority: priority, place: isFirst ? drawFirst() : drawLast()),
                job: JobID(jobs)
            )
            settle(ready: [entry])
        case .end(let number, let ending): end(number, ending)
        case .commit: commit()
        case .withdraw(let number): withdraw(number)
        case .update(let number, let priority):
            let free = (0..<DispatchStep.queueCount).flatMap { self.free($0) }
            guard !free.isEmpty else { return }
            let old = free[number % free.count]
            var new = old
            new.turn = Turn(priority: priority, place: old.turn.place)
            settle(withdrawn: [old], ready: [new])
        case .set(let queue, let settings):
            if gates[queue].settings.rate != settings.rate { gates[queue].window = nil }
            gates[queue].settings = settings
            dispatcher.set(QueueID(UInt32(queue)), to: settings, now: now)
        case .rest(let queue, let milliseconds):
            gates[queue].restsUntil = max(gates[queue].restsUntil, now + milliseconds)
            dispatcher.rest(QueueID(UInt32(queue)), until: now + milliseconds)
        case .pass(let milliseconds): now += milliseconds
        case .subscribe(let queues, let weights, let credits):
            guard takers.count < 4 else { return }
            takers.append(subscribe(Taker(id: .none, queues: queues, weights: weights, credits: credits)))
        case .unsubscribe(let number):
            guard !takers.isEmpty else { return }
            dispatcher.unsubscribe(takers.remove(at: number % takers.count).id)
        case .credit(let number, let jobs):
            guard !takers.isEmpty else { return }
            takers[number % takers.count].credits += jobs
            dispatcher.credit(takers[number % takers.count].id, jobs: jobs, bytes: 0)
        case .restart(let part): restart(part)
        }
    }

    private mutating func drawLast() -> UInt64 {
        tail += 1
        return tail
    }

    private mutating func drawFirst() -> UInt64 {
        head -= 1
        return head
    }

    private mutating func subscribe(_ taker: Taker) -> Taker {
        var taker = Taker(id: .none, queues: taker.queues, weights: taker.weights, credits: taker.credits)
        taker.id = dispatcher.subscribe(
            Subscription(
                connection: 1,
                sessionSlot: 1,
                stream: 1,
                queues: taker.queues.map { QueueID(UInt32($0)) },
                creditJobs: taker.credits,
                creditBytes: 1 << 20,
                lockDuration: 30_000,
                weights: taker.weights
            )
        )
        return taker
    }

    private mutating func end(_ number: Int, _ ending: DispatchStep.Ending) {
        let live = held.filter { $0.value.ending == nil }.keys.sorted()
        guard !live.isEmpty else { return }
        let job = live[number % live.count]
        held[job]!.ending = ending
        let grant = held[job]!.grant
        let lease = dispatcher.finish(grant.slot, token: grant.token, sessionSlot: grant.sessionSlot)
        precondition(lease != nil, "the lease is live")
        returnCredit(of: held[job]!)
    }

    private mutating func returnCredit(of held: Held) {
        if let index = takers.firstIndex(where: { $0.id == held.taker }) { takers[index].credits += 1 }
    }

    /// What ended leases is durable.
    private mutating func commit() {
        var freed: [UInt32] = []
        var ready: [ReadyEntry] = []
        for (job, held) in held.sorted(by: { $0.key < $1.key }) {
            guard let ending = held.ending else { continue }
            freed.append(held.grant.slot)
            source.remove(job.rawValue)
            self.held[job] = nil
            var entry = held.grant.entry
            switch ending {
            case .complete: continue
            case .retry(let priority): entry.turn = Turn(priority: priority, place: drawLast())
            case .giveBack: break
            }
            ready.append(entry)
        }
        settle(freed: freed, ready: ready)
    }

    private mutating func withdraw(_ number: Int) {
        let live = held.values.filter { $0.ending == nil }.map(\.grant.entry)
        let all = (0..<DispatchStep.queueCount).flatMap { self.free($0) } + live.sorted { $0.job < $1.job }
        guard !all.isEmpty else { return }
        let entry = all[number % all.count]
        if let lease = held.removeValue(forKey: entry.job) { returnCredit(of: lease) }
        settle(withdrawn: [entry])
    }

    private mutating func settle(freed: [UInt32] = [], withdrawn: [ReadyEntry] = [], ready: [ReadyEntry] = []) {
        for entry in withdrawn { source.remove(entry.job.rawValue) }
        for entry in ready { insert(entry) }
        var revoked: [Revocation] = []
        dispatcher.settle(freed: freed, kept: [], withdrawn: withdrawn, ready: ready, revoked: &revoked)
        var changes: [SlotChange] = []
        dispatcher.leases.takeChanges(into: &changes)
    }

    private mutating func insert(_ entry: ReadyEntry) {
        source.index[entry.queue, default: []].append(entry)
        source.index[entry.queue]!.sort { $0.turn < $1.turn }
    }

    /// What is set and what is written is there again; other leases are forgotten, and their jobs ready at their places.
    private mutating func restart(_ part: Int) {
        commit()
        epoch += 1
        dispatcher = Dispatcher(epoch: epoch, configuration: configuration)
        for (index, job) in held.keys.sorted().enumerated() {
            let grant = held[job]!.grant
            guard index % part == 0 || grant.token.rawValue >> 40 < epoch - 1 else {
                held[job] = nil
                continue
            }
            held[job]!.taker = nil
            source.remove(job.rawValue)
            dispatcher.leases.restore(
                job,
                token: grant.token,
                queue: grant.entry.queue,
                turn: grant.entry.turn,
                flow: .none,
                sessionSlot: grant.sessionSlot,
                lockDuration: 30_000,
                now: now,
                startedAt: 0,
                at: grant.slot
            )
        }
        for queue in gates.indices {
            gates[queue] = PlainGate(settings: gates[queue].settings)
            dispatcher.set(QueueID(UInt32(queue)), to: gates[queue].settings, now: now)
        }
        for index in takers.indices { takers[index] = subscribe(takers[index]) }
    }

    // MARK: Grants

    mutating func grantAll() throws(Problem) {
        dispatcher.openDueGates(now: now)
        var hasMore = true
        while hasMore {
            source.grants = []
            hasMore = dispatcher.run(now: now, wall: 0, grantsMax: 1, source: &source)
            for grant in source.grants { try take(grant) }
        }
        dispatcher.checkInvariants()
        for taker in takers where taker.credits > 0 {
            for queue in taker.queues where canGrant(queue) {
                throw Problem(text: "\(free(queue)[0]) is let through, and not granted to \(taker)")
            }
        }
    }

    private func free(_ queue: Int) -> [ReadyEntry] {
        (source.index[QueueID(UInt32(queue))] ?? []).filter { held[$0.job] == nil }
    }

    private func canGrant(_ queue: Int) -> Bool {
        let running = held.values.count { $0.grant.entry.queue == QueueID(UInt32(queue)) }
        return gates[queue].isOpen(now: now, running: running) && !free(queue).isEmpty
    }

    /// A read can be of leased jobs only: until the next one the queue has none, and misses its turn.
    private func isReadSlowly(_ queue: Int) -> Bool {
        let first = free(queue)[0].turn
        let leased = source.index[QueueID(UInt32(queue))]!.count { $0.turn < first }
        return leased >= min(configuration.windowEntriesMax, configuration.refillEntriesMax)
    }

    private mutating func take(_ grant: Grant) throws(Problem) {
        let entry = grant.entry
        let queue = Int(entry.queue.rawValue)
        guard let index = takers.firstIndex(where: { $0.id == grant.subscription }), takers[index].credits > 0 else {
            throw Problem(text: "\(entry) was granted to one that takes nothing")
        }
        guard canGrant(queue) else { throw Problem(text: "\(entry) was granted, and is not let through") }
        let first = free(queue)[0]
        guard first == entry else { throw Problem(text: "\(entry) was granted, and \(first) stands before it") }
        let count = takers[index].queues.count
        let turn = grant.queueIndex
        let before = (0..<count).map { (takers[index].next + $0) % count }.prefix { $0 != turn }
        for other in before.map({ takers[index].queues[$0] }) where canGrant(other) && !isReadSlowly(other) {
            throw Problem(text: "\(entry) was granted, and it is the turn of queue \(other)")
        }
        takers[index].credits -= 1
        if turn != takers[index].next { (takers[index].next, takers[index].given) = (turn, 0) }
        takers[index].given += 1
        let weight = takers[index].weights.isEmpty ? 1 : takers[index].weights[turn]
        if takers[index].given >= weight { (takers[index].next, takers[index].given) = ((turn + 1) % count, 0) }
        gates[queue].take(now: now)
        grantCount += 1
        held[entry.job] = Held(grant: grant, taker: grant.subscription)
    }
}

import PenstockWire

/// One flow, from its add to its end, in steps of one command each.
///
/// It knows what the flow was before the command that is not answered, and what it is behind it.
final class FlowScript {
    enum Kind: Equatable {
        /// A graph of a few jobs, in one frame.
        case graph
        /// The same in three parts; the last may be taken back.
        case staged(isAbandoned: Bool)
        /// One job on which all others depend: beyond the bound of one transaction, or far below.
        case wide(Int)
        /// A job that the operator holds, and what it adds to it.
        case held
    }

    /// What was seen of the flow before its operator came back.
    enum Sighting {
        case before(commit: UInt64)
        case after(commit: UInt64)
    }

    let name: String
    let kind: Kind
    /// Where the operator is the worker: the queue of the first job of a held flow.
    let desk: String
    /// The queue of all other jobs, and of nobody else.
    var queue: String { "q-\(name)" }
    var successor: String { "\(name)/after" }

    private(set) var known: FlowModel
    private(set) var pending: (command: FlowCommand, after: FlowModel, answer: FlowModel.Answer)?
    private(set) var flow = FlowID.none
    private(set) var ids: [JobID] = []
    private(set) var hasSuccessor = false
    private(set) var isClosed = false
    private(set) var violations: [String] = []
    /// The last command that was answered.
    private(set) var last: FlowCommand?
    /// The last command's effects may come in slices that are seen as they come.
    private(set) var isComing = false
    var sighting: Sighting?
    var lease: Delivery?
    /// A lease under which children were added lives through a restart.
    private(set) var isKept = false
    private var steps: Int

    init(name: String, desk: String, kind: Kind, _ random: inout SplitMix) {
        self.name = name
        self.desk = desk
        self.kind = kind
        known = FlowModel(edges: FlowScript.edges(kind, &random))
        steps = Int.random(in: 4...14, using: &random)
    }

    private static func edges(_ kind: Kind, _ random: inout SplitMix) -> [[FlowModel.Edge]] {
        let policies: [FailurePolicy] = [.failParent, .failParent, .ignore, .wait, .continue, .remove]
        switch kind {
        case .held: return [[]]
        case .wide(let count):
            let policy: FailurePolicy = random.chance(70) ? .failParent : .ignore
            var edges = Array(repeating: [FlowModel.Edge(dependency: 0, policy: policy)], count: count)
            edges[0] = []
            edges[count - 1] += (1..<min(count - 1, 500)).map { FlowModel.Edge(dependency: $0, policy: .failParent) }
            return edges
        case .graph, .staged:
            return (0..<Int.random(in: 3...9, using: &random)).map { index in
                let before = Array(0..<index).shuffled(using: &random)
                let chosen = before.prefix(Int.random(in: 0...3, using: &random)).sorted()
                return chosen.map {
                    FlowModel.Edge(dependency: $0, policy: policies.randomElement(using: &random) ?? .ignore)
                }
            }
        }
    }

    func violation(_ text: String) { violations.append("flow \(name): \(text)") }

    // MARK: Steps

    /// Sends the next command, if there is one to send now. True where its effect may be a large one.
    func step(_ session: CommandSession, _ random: inout SplitMix) throws -> Bool {
        // What is said of a job that a slice has not reached yet may come first.
        guard pending == nil, !isClosed, !isComing, let command = next(&random) else { return false }
        var after = known
        let answer = after.apply(command)
        pending = (command, after, answer)
        sighting = nil
        try send(command, session)
        return isWide && known.isAdded
    }

    private func next(_ random: inout SplitMix) -> FlowCommand? {
        guard known.isAdded else { return .add }
        steps -= 1
        if steps <= 0 { return end(&random) }
        if kind == .held { return nextHeld(&random) }
        let node = Int.random(in: 0..<min(known.nodes.count, 12), using: &random)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<25: return .finish(node, fails: false)
        case 25..<45: return .finish(node, fails: true)
        case 45..<60: return .retry(node)
        case 60..<66: return .retryFlow
        case 66..<70: return .retryQueue
        case 70..<76: return .cancel(node)
        case 76..<80: return .cancelTree(node)
        case 80..<85: return .cancelFlow
        case 85..<95: return resolution(&random)
        case 95..<98: return .remove(node, keepsDependencies: random.chance(40))
        default:
            // Without any below them, so that it is plain what goes.
            let isPlain = known.nodes[node].edges.allSatisfy { known.nodes[$0.dependency].edges.isEmpty }
            return isPlain ? .removeUnfinished(of: node) : .cancelFlow
        }
    }

    private func resolution(_ random: inout SplitMix) -> FlowCommand? {
        let dependents = known.nodes.indices.prefix(12).filter { !known.nodes[$0].edges.isEmpty }
        guard let dependent = dependents.randomElement(using: &random),
            let edge = known.nodes[dependent].edges.randomElement(using: &random),
            !known.nodes[edge.dependency].isGone,
            let to = Resolve.Resolution.allCases.randomElement(using: &random)
        else { return nil }
        return .resolve(dependent, edge.dependency, to)
    }

    private func nextHeld(_ random: inout SplitMix) -> FlowCommand? {
        if lease != nil && known.nodes[0].state == .ready {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<40:
                // The first again, and now and then nothing new.
                let new = known.nodes.count
                return .addChildren(keys: new == 1 ? [1] : random.chance(70) ? [1, new] : [1])
            case 40..<60: return .move
            case 60..<65: return .moveDelayed
            case 65..<80: return .completeAdding
            case 80..<90: return .complete
            default: return .fail
            }
        }
        let unfinished = known.live.filter { $0 > 0 && !known.nodes[$0].state.isFinished }
        if let child = unfinished.randomElement(using: &random) { return .finish(child, fails: random.chance(30)) }
        // Waiting to be taken, or at its end.
        if known.nodes[0].state == .ready {
            steps += 1
            return nil
        }
        return random.chance(50) ? .retryFlow : .cancelFlow
    }

    private func end(_ random: inout SplitMix) -> FlowCommand? {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<25: return .removeFlow
        case 25..<45 where kind != .held: return .obliterate
        case 45..<60 where kind != .held:
            return .clean([.completed, .failed, .cancelled].randomElement(using: &random) ?? .failed)
        case 60..<70: return .cancelFlow
        default:
            isClosed = true
            return nil
        }
    }

    // MARK: Outcomes

    func take(_ outcome: Outcome, _ commit: UInt64, _ session: CommandSession) {
        guard let (command, after, answer) = pending else { return violation("an outcome of nothing") }
        pending = nil
        let code = ErrorCode(rawValue: outcome.status) ?? .internalError
        let isAbandoned = kind == .staged(isAbandoned: true)
        let isApplied = (code == .ok || code == .unresolvedDependencies) && !isAbandoned
        check(command, commit, isApplied: isApplied && after != known)
        if code == .settling { return }
        if code == .fenced || code == .jobLeased { return takeRefusal(code, command, session) }
        if isAbandoned {
            isClosed = true
            if code != .ok { violation("an abandoned add was refused with \(code)") }
            return
        }
        switch answer {
        case .refused(let expected):
            if code != expected { violation("\(command) was answered with \(code), not \(expected)") }
        case .done, .count: if code != .ok { return violation("\(command) was refused with \(code)") }
        }
        do { try note(command, outcome, answer, session) } catch { violation("the outcome of \(command): \(error)") }
        known = after
        last = command
        isComing = comesInSlices(command)
        switch command {
        case .removeFlow, .obliterate, .clean: isClosed = true
        default: break
        }
    }

    /// What was seen of the flow before, and when, has to agree with the place that its command has got.
    private func check(_ command: FlowCommand, _ commit: UInt64, isApplied: Bool) {
        switch sighting {
        case .before(let seen)? where isApplied && commit <= seen:
            violation("\(command) is of commit \(commit), and it was not there after commit \(seen)")
        case .after(let seen)? where !isApplied || commit > seen:
            violation("\(command) is of commit \(commit), and it was there at commit \(seen)")
        default: break
        }
        sighting = nil
    }

    private func takeRefusal(_ code: ErrorCode, _ command: FlowCommand, _ session: CommandSession) {
        switch command {
        case .addChildren, .move, .moveDelayed, .fail, .complete, .completeAdding:
            if code != .fenced { violation("\(command) was refused with \(code)") }
            if lease != nil && isKept { violation("\(command) was fenced, and its lease had children") }
            if let token = lease?.token { session.ended(token) }
            lease = nil
        case .removeFlow where kind == .held, .remove: if code != .jobLeased { violation("\(command): \(code)") }
        default: violation("\(command) was refused with \(code)")
        }
    }

    private func note(
        _ command: FlowCommand,
        _ outcome: Outcome,
        _ answer: FlowModel.Answer,
        _ session: CommandSession
    ) throws {
        var reader = WireReader(outcome.body.rawSpan)
        switch command {
        case .add:
            let item = try AddOutcome(from: &reader, jobsMax: Limits.stagedJobsMax).items[0]
            (flow, ids) = (item.flow, item.jobIDs)
        case .addChildren(let keys):
            let told = try AddOutcome(from: &reader).items.map { $0.jobIDs[0] }
            for (key, job) in zip(keys, told) {
                if key < ids.count, ids[key] != job { violation("key \(key) was job \(ids[key]), and is \(job)") }
                if key == ids.count { ids.append(job) }
            }
            isKept = isKept || keys.contains { $0 >= known.nodes.count }
        case .move:
            if try MoveOutcome(from: &reader).hasMoved != known.nodes[0].counting {
                violation("a move was answered wrong")
            }
            if known.nodes[0].counting { endLease(session) }
        case .moveDelayed, .complete, .fail, .completeAdding:
            if command == .completeAdding && outcome.status == 0 { hasSuccessor = true }
            endLease(session)
        default:
            guard case .count(let count) = answer, known.nodes.count < 20 else { return }
            let told = try CountOutcome(from: &reader).jobs
            let isClean = if case .clean = command { true } else { command == .obliterate || command == .removeFlow }
            if told != UInt32(count) && !isClean { violation("\(command) came to \(told) jobs, not \(count)") }
        }
    }

    private func endLease(_ session: CommandSession) {
        if let token = lease?.token { session.ended(token) }
        lease = nil
        isKept = false
    }

    /// A lease has gone with a restart, or was taken away.
    func lost(byRestart: Bool) {
        if byRestart && isKept && pending == nil && known.nodes[0].state == .ready {
            violation("its lease was not kept, and it had children")
        }
        lease = nil
        isKept = false
    }

    /// Releases and removals of very many, and what is carried out behind the slices of others, are seen as they come;
    /// of a failure, a retry or a cancel nobody sees half.
    private func comesInSlices(_ command: FlowCommand) -> Bool {
        switch command {
        case .removeFlow, .obliterate, .clean: true
        case .add, .finish(_, fails: false), .resolve, .remove, .removeUnfinished: isWide
        default: false
        }
    }

    private var isWide: Bool { if case .wide = kind { true } else { false } }

    /// What may be seen, the one before the pending command first.
    var possible: [FlowModel] { [known] + (pending.map { [$0.after] } ?? []) }
    /// It may be on its way from one to the other for everybody to see.
    var mayBeOnItsWay: Bool { isComing || pending.map { comesInSlices($0.command) } ?? false }
    var mayHaveSuccessor: Bool { pending?.command == .completeAdding && pending?.answer == .done }

    /// It has settled, as whoever looked has seen.
    func settled() { isComing = false }
}

import Foundation
import PenstockWire

/// Rounds of load and faults on one directory, and what the checker says of them.
///
/// In each round the server is started; what it shows is compared with the ledger before any client comes back; the
/// clients resume, and it is compared again; then there is load, until the nemesis ends the server. After the last
/// round the nemesis is gone, the workers work off everything, and all of it is compared once more.
final class CrashRun {
    struct Report {
        var rounds = 0
        var commands = 0
        var accepted = 0
        var jobs = 0
        var fenced = 0
        /// Adds refused because the disk was full.
        var full = 0
        /// Adds that were there, whole, when the server came back before their client did.
        var sightings = 0
        /// Starts under strace whose fault was never reached.
        var untouched = 0
        var milliseconds = 0
        var violations: [String] = []
    }

    static let producers = 2
    static let workers = 3
    static var clients: Int { producers + workers }

    private let seed: UInt64
    private let directory: CrashDirectory
    private let journal = Journal(clients: CrashRun.clients)
    private let stage = Stage()
    private let threads = ThreadGroup()
    private var random: SplitMix
    private var touched = Journal.Touched()
    /// The highest job id that is accounted for.
    private var lastJob: UInt64 = 0
    private var allowsFull = false
    private(set) var report = Report()

    init(seed: UInt64) throws {
        self.seed = seed
        random = SplitMix(seed: seed)
        directory = try CrashDirectory()
    }

    /// Runs the rounds and stops early at the first violation.
    static func run(seed: UInt64, _ rounds: [Nemesis]) throws -> Report {
        let run = try CrashRun(seed: seed)
        let start = Threads.nanoseconds
        defer { run.end() }
        run.allowsFull = rounds.contains { $0.fillsDisk }
        run.startClients()
        do {
            for (number, nemesis) in rounds.enumerated() {
                try run.round(nemesis)
                if run.hasFailed("round \(number + 1) of seed \(seed), \(nemesis)") { return run.report }
            }
            try run.drain()
            _ = run.hasFailed("the drain of seed \(seed)")
        } catch {
            run.report.violations += run.journal.ledger.violations
            run.report.violations.append("seed \(seed), round \(run.report.rounds): \(error)\n\(run.directory.logTail)")
        }
        run.report.milliseconds = Int((Threads.nanoseconds - start) / 1_000_000)
        return run.report
    }

    private func hasFailed(_ place: String) -> Bool {
        guard !report.violations.isEmpty else { return false }
        report.violations.insert("in \(place), with \(report.violations.count) violations", at: 0)
        report.violations = Array(report.violations.prefix(20)) + [directory.logTail]
        return true
    }

    private func startClients() {
        for index in 0..<CrashRun.clients {
            let (stage, journal, seed) = (stage, journal, seed)
            threads.start {
                var thread = ClientThread(
                    index: index,
                    isWorker: index >= CrashRun.producers,
                    stage: stage,
                    journal: journal,
                    seed: seed
                )
                thread.run()
            }
        }
    }

    private func end() {
        stage.set(.stop, port: nil)
        threads.wait()
    }

    // MARK: Rounds

    private func round(_ nemesis: Nemesis) throws {
        report.rounds += 1
        if case .killAtStart(let after) = nemesis {
            let pid = try ServerProcess.launch(directory)
            Threads.sleep(milliseconds: after)
            ServerProcess.kill(pid)
            return
        }
        if case .systemCall = nemesis { return try systemCallRound(nemesis) }
        if case .killAndForget = nemesis { try directory.save() }
        let server = try timed("start") { try ServerProcess(directory) }
        try timed("comparison") { try verify(server) }
        guard report.violations.isEmpty else { return }
        stage.set(.load, port: server.port)
        try timed("end") { try end(server, by: nemesis) }
        stage.set(.load, port: nil)
        if case .killAndForget = nemesis { try directory.restore() }
    }

    /// Tells what took so long that it may have hung.
    private func timed<Result>(_ what: String, _ body: () throws -> Result) rethrows -> Result {
        let start = Threads.nanoseconds
        defer {
            let milliseconds = (Threads.nanoseconds - start) / 1_000_000
            if milliseconds > 5000 {
                print("crash: seed \(seed): the \(what) of round \(report.rounds) took \(milliseconds) ms")
            }
        }
        return try body()
    }

    private func end(_ server: ServerProcess, by nemesis: Nemesis) throws {
        switch nemesis {
        case .kill(let after), .killAndForget(let after):
            Threads.sleep(milliseconds: after)
            server.kill()
        case .terminate(let after):
            Threads.sleep(milliseconds: after)
            server.signal(SIGTERM)
            let exit = server.wait(milliseconds: 10_000)
            if exit != .code(0) {
                report.violations.append("the stopped server ended with \(exit.map { "\($0)" } ?? "nothing in 10 s")")
            }
        case .killInStop(let after, let then):
            Threads.sleep(milliseconds: after)
            server.signal(SIGTERM)
            Threads.sleep(milliseconds: then)
            server.kill()
        case .killAtStart, .systemCall: break
        }
    }

    /// The fault may come at any moment, the start included.
    private func systemCallRound(_ nemesis: Nemesis) throws {
        guard case .systemCall(_, let fault, _) = nemesis else { return }
        // What the last round left is compared in peace.
        let calm = try ServerProcess(directory)
        try verify(calm)
        calm.kill()
        stage.set(.load, port: nil)
        guard report.violations.isEmpty else { return }
        let server: ServerProcess
        do {
            server = try ServerProcess(directory, wrapper: nemesis.wrapper)
        } catch CrashError.ended(let exit, let log) {
            return check(exit, fault, log)
        }
        stage.set(.load, port: server.port)
        // A full disk need not end the server.
        if let exit = server.wait(milliseconds: nemesis.fillsDisk ? 400 : 1500) {
            check(exit, fault, directory.logTail)
        } else {
            report.untouched += 1
            server.kill()
        }
        stage.set(.load, port: nil)
    }

    private func check(_ exit: ServerProcess.Exit, _ fault: String, _ log: String) {
        let isRight: Bool
        switch exit {
        case .signal(let signal): isRight = fault.hasPrefix("signal=KILL") && signal == SIGKILL
        case .code(let code): isRight = fault.hasPrefix("error=") && code == 74
        }
        if !isRight { report.violations.append("with \(fault) the server ended with \(exit): \(log)") }
    }

    /// Brings the clients back, and compares before and after.
    private func verify(_ server: ServerProcess) throws {
        let port = server.port
        let before = journal.ledger
        merge(journal.takeTouched())
        let seen = try observe(port, .beforeResume, before)
        report.violations += Checker.check(before, seen, allowsFull: allowsFull)
        guard report.violations.isEmpty else { return }
        stage.set(.settle, port: port)
        guard stage.waitUntilSettled(clients: CrashRun.clients, milliseconds: 30_000, while: { server.isRunning })
        else {
            report.violations +=
                journal.ledger.violations + [
                    server.isRunning
                        ? "clients have commands without outcomes after 30 s" : "the server has ended by itself"
                ]
            return
        }
        merge(journal.takeTouched())
        let after = journal.ledger
        report.violations += Checker.checkSightings(before: before, seen, after: after)
        report.violations += Checker.check(after, try observe(port, .settled, after), allowsFull: allowsFull)
        lastJob = max(lastJob, LedgerIndex(after).created.keys.max()?.rawValue ?? 0)
        touched = Journal.Touched()
    }

    /// Without faults, until every job has finished.
    private func drain() throws {
        let server = try timed("start") { try ServerProcess(directory) }
        try timed("comparison") { try verify(server) }
        guard report.violations.isEmpty else { return }
        stage.set(.drain, port: server.port)
        let observer = try Observer(port: server.port)
        let end = Threads.nanoseconds + 60_000_000_000
        let patience = Threads.nanoseconds + 5_000_000_000
        var isSlow = false
        while Threads.nanoseconds < end {
            let counts = try observer.queues(Producer.queues).values
            if counts.allSatisfy({ $0.finished == $0.total }) { break }
            if Threads.nanoseconds > patience && !isSlow {
                isSlow = true
                try tellUnfinished(observer)
            }
            Threads.sleep(milliseconds: 20)
        }
        stage.set(.settle, port: server.port)
        if !stage.waitUntilSettled(clients: CrashRun.clients, milliseconds: 30_000, while: { server.isRunning }) {
            report.violations.append("clients have commands without outcomes after 30 s of drain")
        }
        let ledger = journal.ledger
        let index = LedgerIndex(ledger)
        touched.jobs = Set(index.created.keys)
        ledger.forEach { key, command in if case .add = command.kind { touched.adds.insert(key) } }
        report.violations += Checker.check(ledger, try observe(server.port, .drained, ledger), allowsFull: allowsFull)
        sum(ledger, index)
        server.signal(SIGTERM)
        if server.wait(milliseconds: 10_000) != .code(0) { report.violations.append("the last server did not stop") }
    }

    /// What the workers do not get, or do not finish, though nothing disturbs them.
    private func tellUnfinished(_ observer: Observer) throws {
        let ledger = journal.ledger
        for case let (id, view?) in try observer.jobs(LedgerIndex(ledger).created.keys.sorted())
        where !view.state.isFinished {
            let lease = ledger.lastLease[id].map { "\($0) \(ledger.leases[$0].map { "\($0)" } ?? "")" } ?? "none"
            print(
                "crash: seed \(seed): after 5 s of drain job \(id) is \(view.state), \(view.dependencies), due in \(view.dueIn) ms, epoch \(try observer.server().epoch), last lease \(lease)"
            )
        }
    }

    private func sum(_ ledger: Ledger, _ index: LedgerIndex) {
        report.jobs = index.created.count
        ledger.forEach { _, command in
            report.commands += 1
            if command.outcome?.isOK == true { report.accepted += 1 }
            if command.outcome?.status == ErrorCode.fenced.rawValue { report.fenced += 1 }
            if command.outcome?.status == ErrorCode.full.rawValue { report.full += 1 }
        }
    }

    // MARK: Looking

    private func merge(_ more: Journal.Touched) {
        touched.adds.formUnion(more.adds)
        touched.jobs.formUnion(more.jobs)
    }

    /// Reads what was touched, and every id that an unanswered add may have been given.
    private func observe(_ port: Int, _ moment: Observation.Moment, _ ledger: Ledger) throws -> Observation {
        let observer = try Observer(port: port)
        var seen = Observation(moment: moment)
        seen.commit = try observer.server().commit
        var jobs = touched.jobs
        var flows: Set<FlowID> = []
        var highest = lastJob
        var unanswered: UInt64 = 0
        for key in touched.adds {
            guard let command = ledger[key], case .add(let add) = command.kind else { continue }
            guard let outcome = command.outcome else {
                unanswered += UInt64(add.items.reduce(0) { $0 + $1.nodes.count })
                continue
            }
            for item in outcome.items {
                jobs.formUnion(item.jobIDs)
                if item.flow != .none { flows.insert(item.flow) }
                highest = max(highest, item.jobIDs.max()?.rawValue ?? 0)
            }
        }
        ledger.forEach { _, command in
            guard command.outcome == nil, let token = command.kind.token, let lease = ledger.leases[token] else {
                return
            }
            jobs.insert(lease.job)
        }
        let slack: UInt64 = 16
        for id in lastJob + 1..<highest + unanswered + slack { jobs.insert(JobID(id)) }
        let known = LedgerIndex(ledger)
        seen.jobs = try observer.jobs(jobs.sorted()).filter { id, view in view != nil || known.created[id] != nil }
        for case let view? in seen.jobs.values where view.flow != .none && known.created[view.id] == nil {
            flows.insert(view.flow)
            report.sightings += 1
        }
        seen.flows = try observer.flows(flows.sorted())
        seen.queues = try observer.queues(Producer.queues)
        return seen
    }
}

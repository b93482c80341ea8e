import Foundation
import PenstockWire

/// Rounds of commands about flows and of kills on one directory.
///
/// In each round the server is started; what it shows of every flow is compared with what its operator knows, before
/// the operator comes back and after; then there is load until the kill. In the end all flows are compared once more,
/// those that were finished with long ago too, and there must be no other.
final class CommandRun {
    struct Report {
        var rounds = 0
        var flows = 0
        var commands = 0
        /// Commands without an answer when the server was killed: those that had been applied, and those that had not.
        var applied = 0
        var unapplied = 0
        /// Large effects that were under way when the server was killed.
        var cut = 0
        var milliseconds = 0
        var violations: [String] = []
    }

    private static let operators = 3

    private let seed: UInt64
    private let options: [String]
    private let directory: CrashDirectory
    private let stage = Stage()
    private let threads = ThreadGroup()
    private let operators: [Operator]
    private(set) var report = Report()

    /// - Parameter steps: jobs and edges that one command may reach at once; nil for what the server does by itself.
    private init(seed: UInt64, steps: Int?) throws {
        self.seed = seed
        options = steps.map { ["--effect-steps", "\($0)"] } ?? []
        directory = try CrashDirectory()
        let stage = stage
        let wide = steps.map { $0 + $0 / 5 } ?? 24_000
        operators = (0..<CommandRun.operators).map { Operator(index: $0, stage: stage, wide: wide, seed: seed) }
    }

    /// Runs the rounds and stops early at the first violation.
    static func run(seed: UInt64, steps: Int?, _ rounds: [Nemesis]) throws -> Report {
        let run = try CommandRun(seed: seed, steps: steps)
        let start = Threads.nanoseconds
        for client in run.operators { run.threads.start { client.run() } }
        defer {
            run.stage.set(.stop, port: nil)
            run.threads.wait()
        }
        do {
            for nemesis in rounds where run.report.violations.isEmpty {
                try run.round(nemesis)
            }
            if run.report.violations.isEmpty { try run.finish() }
        } catch {
            run.report.violations.append("\(error)")
        }
        if !run.report.violations.isEmpty {
            run.report.violations = Array(run.report.violations.prefix(10)) + [run.directory.logTail]
        }
        run.report.milliseconds = Int((Threads.nanoseconds - start) / 1_000_000)
        return run.report
    }

    // MARK: Rounds

    private func round(_ nemesis: Nemesis) throws {
        report.rounds += 1
        if case .killAtStart(let after) = nemesis {
            let pid = try ServerProcess.launch(directory, options: options)
            Threads.sleep(milliseconds: after)
            ServerProcess.kill(pid)
            return
        }
        if case .killAndForget = nemesis { try directory.save() }
        var server = try ServerProcess(directory, options: options)
        try compare(server)
        guard report.violations.isEmpty else { return }
        if case .systemCall = nemesis {
            // What the last round left was compared in peace; the fault may come at any moment, the start included.
            server.kill()
            try rest()
            do {
                server = try ServerProcess(directory, wrapper: nemesis.wrapper, options: options)
            } catch CrashError.ended(.signal(SIGKILL), _) {
                return
            }
        }
        stage.set(.load, port: server.port)
        end(server, by: nemesis)
        try rest()
        if case .killAndForget = nemesis { try directory.restore() }
    }

    /// Waits until no operator does anything.
    private func rest() throws {
        stage.set(.rest, port: nil)
        guard stage.waitUntilSettled(clients: operators.count, milliseconds: 60_000, while: { true }) else {
            throw CrashError.failed("the operators do not come to rest")
        }
    }

    private func end(_ server: ServerProcess, by nemesis: Nemesis) {
        switch nemesis {
        case .terminate(let after):
            Threads.sleep(milliseconds: after)
            server.signal(SIGTERM)
            let exit = server.wait(milliseconds: 15_000)
            if exit != .code(0) { found("the stopped server ended with \(exit.map { "\($0)" } ?? "nothing in 15 s")") }
        case .killInStop(let after, let then):
            Threads.sleep(milliseconds: after)
            server.signal(SIGTERM)
            Threads.sleep(milliseconds: then)
        case .killAndForget(let after): Threads.sleep(milliseconds: after)
        case .kill(let after):
            // Every other one in the midst of a large effect, if there is one soon.
            if after % 2 == 0 { waitForLargeEffect() }
            Threads.sleep(milliseconds: after)
        case .systemCall: _ = server.wait(milliseconds: 3000)
        case .killAtStart: break
        }
        server.kill()
    }

    private func waitForLargeEffect() {
        let before = stage.largeEffects
        for _ in 0..<1000 where stage.largeEffects == before { Threads.sleep(milliseconds: 1) }
    }

    /// Compares before the operators come back, and after.
    private func compare(_ server: ServerProcess) throws {
        let observer = try Observer(port: server.port)
        try compareAll(observer, hasAnswers: false)
        guard report.violations.isEmpty else { return }
        stage.set(.settle, port: server.port)
        guard stage.waitUntilSettled(clients: operators.count, milliseconds: 60_000, while: { server.isRunning }) else {
            let text = server.isRunning ? "commands have no outcome after a minute" : "the server has ended by itself"
            report.violations += operators.flatMap(\.session.violations) + [text]
            return
        }
        stage.set(.rest, port: server.port)
        _ = stage.waitUntilSettled(clients: operators.count, milliseconds: 60_000, while: { true })
        report.violations += operators.flatMap(\.session.violations)
        try compareAll(observer, hasAnswers: true)
    }

    /// Compares up to the first violation, and first what need not be waited for.
    private func compareAll(_ observer: Observer, hasAnswers: Bool) throws {
        let scripts = operators.flatMap(\.scripts)
        for script in scripts.filter({ !$0.mayBeOnItsWay }) + scripts.filter(\.mayBeOnItsWay)
        where report.violations.isEmpty { try compare(script, observer, hasAnswers: hasAnswers) }
        for client in operators where report.violations.isEmpty { try compare(client.schedulers, observer) }
    }

    private func finish() throws {
        let server = try ServerProcess(directory, options: options)
        try compare(server)
        guard report.violations.isEmpty else { return }
        let observer = try Observer(port: server.port)
        var expected = 0
        for client in operators {
            report.commands += client.session.commands
            for script in client.closed where report.violations.isEmpty {
                try compare(script, observer, hasAnswers: true)
            }
            for script in client.closed + client.scripts {
                report.flows += 1
                expected += (script.known.exists ? 1 : 0) + (script.hasSuccessor ? 1 : 0)
                let live = script.known.isAdded ? script.known.live.count : 0
                let total = try observer.queues([script.queue])[script.queue]?.total ?? 0
                let others = script.kind == .held && script.known.exists && !script.known.nodes[0].isGone ? 1 : 0
                if Int(total) != live - others {
                    found("queue \(script.queue) has \(total) jobs, not \(live - others)")
                }
            }
        }
        let flows = try observer.allFlows()
        if flows.count != expected { found("\(flows.count) flows are there, not \(expected)") }
        for flow in flows where flow.status == .settling { found("flow \(flow.name) is settling in the end") }
        server.signal(SIGTERM)
        if server.wait(milliseconds: 10_000) != .code(0) { found("the last server did not stop") }
    }

    // MARK: Comparing

    private func found(_ text: String) { report.violations.append("round \(report.rounds): \(text)") }

    private func compare(_ schedulers: [SchedulerScript], _ observer: Observer) throws {
        for scheduler in schedulers {
            let (row, counts) = try observer.scheduler(scheduler.id, queue: scheduler.queue)
            scheduler.check(row, counts).forEach(found)
        }
    }

    private func compare(_ script: FlowScript, _ observer: Observer, hasAnswers: Bool) throws {
        script.violations.forEach(found)
        if hasAnswers && script.pending != nil { found("flow \(script.name) has no answer") }
        // What comes in slices has come within seconds, or never comes.
        let end = Threads.nanoseconds + (script.mayBeOnItsWay ? 60_000_000_000 : 0)
        while true {
            let commit = try observer.server().commit
            guard let difference = try difference(script, observer, commit) else { break }
            if Threads.nanoseconds >= end {
                found(
                    "flow \(script.name) (\(script.kind)) after \(script.last.map { "\($0)" } ?? "nothing"): \(difference)"
                )
                return
            }
            Threads.sleep(milliseconds: 5)
        }
        script.settled()
        if let name = try observer.flow(named: script.successor) {
            let seen = try observer.settledFlow(name)
            if !script.hasSuccessor && !script.mayHaveSuccessor || seen?.nodes.count != 2 {
                found("flow \(script.successor) has \(seen?.nodes.count ?? 0) jobs")
            }
        } else if script.hasSuccessor {
            found("flow \(script.successor) is not there")
        }
    }

    /// How the flow is other than all that it may be; nil where it is one of them.
    private func difference(_ script: FlowScript, _ observer: Observer, _ commit: UInt64) throws -> String? {
        let id = script.flow != .none ? script.flow : try observer.flow(named: script.name)
        let seen = try id.flatMap { try observer.settledFlow($0) }
        if seen?.wasSettling == true { report.cut += 1 }
        var differences: [String] = []
        for (place, model) in script.possible.enumerated() {
            guard let found = (seen ?? SeenFlow()).difference(from: model, ids: script.ids) else {
                guard script.possible.count == 2, script.possible[0] != script.possible[1] else { return nil }
                if !script.mayBeOnItsWay {
                    script.sighting = place == 0 ? .before(commit: commit) : .after(commit: seen?.commit ?? .max)
                }
                if place == 0 { report.unapplied += 1 } else { report.applied += 1 }
                return nil
            }
            differences.append(found)
        }
        let pending = script.pending.map { "; \($0.command) is open" } ?? ""
        return differences.joined(separator: "; or ") + pending
    }
}

import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Random histories of adds, ends, removals, time and restarts, step by step beside the model.
@Suite(.computing) struct DeduplicationHistoryTests {
    private static let backoff: UInt64 = 30

    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func `a random history comes to what the model says`(seed: UInt64) throws {
        let run = try DeduplicationRun(seed: seed)
        for _ in 0..<60 { try run.step() }
    }
}

private final class DeduplicationRun {
    private let engine: EngineHarness
    private var model = DeduplicationModel()
    private var random: SplitMix64
    private var names = 0
    private static let ids = ["a", "b", "c"]
    private static let backoff: UInt64 = 30

    init(seed: UInt64) throws {
        engine = try EngineHarness()
        random = SplitMix64(seed: seed)
        model.now = engine.elapsed
    }

    func step() throws {
        switch Int.random(in: 0..<16, using: &random) {
        case 0..<6: try add()
        case 6..<8: if let (_, job) = try one(of: .waiting) { try lease(job) }
        case 8..<10:
            guard let (name, job) = try one(of: .active) else { break }
            try engine.complete(job)
            model.finish(name, as: .completed)
        case 10:
            guard let (name, job) = try one(of: .active) else { break }
            try engine.fail(job)
            model.fail(name, backoff: DeduplicationRun.backoff)
        case 11:
            guard let (name, job) = try one(of: .active, .waiting, .delayed) else { break }
            try engine.cancel(job)
            model.finish(name, as: .cancelled)
        case 12:
            guard let (name, job) = try one(of: .failed, .cancelled) else { break }
            try engine.retry(job)
            model.retry(name, attempts: 2)
        case 13:
            guard let (name, job) = try one(of: .waiting, .delayed, .completed, .failed) else { break }
            try engine.remove(job)
            model.remove(name)
        case 14: try pass()
        default:
            let id = DeduplicationRun.ids.randomElement(using: &random)!
            guard try engine.queueIsKnown() else { break }
            let freed = try engine.removeDeduplication(id)
            #expect((freed == 1) == model.removeID(id))
        }
        try compare()
    }

    private func lease(_ job: JobID) throws {
        let lease = try engine.lease(job)
        if Bool.random(using: &random) { engine.stageWrite(lease) }
        try engine.commit()
        model.jobs[try engine.view(job).name]!.state = .active
    }

    private func pass() throws {
        let time = UInt64.random(in: 1...60, using: &random)
        if Int.random(in: 0..<3, using: &random) == 0 {
            try engine.restart(after: time)
            // Young leases are forgotten.
            for (name, id) in try jobs() where try engine.view(id).state == .waiting {
                if model.jobs[name]?.state == .active { model.jobs[name]!.state = .waiting }
            }
        } else {
            engine.advance(time)
        }
        try engine.promote()
        if Bool.random(using: &random) { try engine.expire() }
        model.advance(engine.elapsed - model.now)
    }

    private func add() throws {
        let nodes = (0..<Int.random(in: 1...4, using: &random)).map { _ in node() }
        let sequence = engine.stageAdd(nodes.map { .single(spec($0)) })
        try engine.commit()
        let added = try engine.added(sequence, nodes.map { .single(spec($0)) })
        let answers = model.add(nodes)
        for (index, answer) in answers.enumerated() {
            #expect(added.items[index].existing.first?.reason == answer.reason, "\(nodes)")
            let job = added.items[index].jobIDs[0]
            // The job of a throttle may be gone.
            if let view = try? engine.view(job) { #expect(view.name == answer.job, "\(nodes)") }
        }
    }

    private func node() -> DeduplicationModel.Node {
        names += 1
        var terms: Deduplication?
        if Int.random(in: 0..<8, using: &random) > 0 {
            let ttl = Bool.random(using: &random) ? UInt64.random(in: 1...100, using: &random) : 0
            terms = Deduplication(
                id: DeduplicationRun.ids.randomElement(using: &random)!,
                ttl: ttl,
                extends: ttl > 0 && Bool.random(using: &random),
                replaces: Bool.random(using: &random),
                keepsLastIfActive: ttl == 0 && Bool.random(using: &random)
            )
        }
        let delay = Bool.random(using: &random) ? UInt64.random(in: 1...80, using: &random) : 0
        return DeduplicationModel.Node(name: "n\(names)", terms: terms, delay: delay, attempts: 2)
    }

    private func spec(_ node: DeduplicationModel.Node) -> NodeSpec {
        var spec = job(node.name) {
            $0.delay = node.delay
            $0.attempts = UInt16(node.attempts)
            $0.backoff = Backoff(kind: .fixed, delay: DeduplicationRun.backoff, maximum: 0, jitter: 0)
        }
        spec.deduplication = node.terms
        return spec
    }

    // MARK: Comparing

    private func jobs() throws -> [String: JobID] {
        var jobs: [String: JobID] = [:]
        for id in try engine.dump().jobs.keys { jobs[try engine.view(id).name] = id }
        return jobs
    }

    /// A job in one of the states.
    private func one(of states: JobState...) throws -> (String, JobID)? {
        let names = model.jobs.filter { states.contains($0.value.state) }.keys.sorted()
        guard let name = names.randomElement(using: &random) else { return nil }
        return (name, try jobs()[name]!)
    }

    private func compare() throws {
        let stored = try jobs()
        #expect(try stored.mapValues { try engine.view($0).state } == model.jobs.mapValues(\.state))
        guard try engine.queueIsKnown() else { return }
        for id in DeduplicationRun.ids {
            let (told, held) = (try engine.holder(id), model.hold(id))
            #expect((told.job != .none) == (held != nil), "\(id)")
            guard let held else { continue }
            if let job = stored[held.job] { #expect(told.job == job, "\(id)") }
            #expect(told.hasKept == (held.kept != nil), "\(id)")
            #expect(told.endsIn == (held.due == 0 ? 0 : held.due - model.now), "\(id)")
        }
    }
}

extension EngineHarness {
    fileprivate func queueIsKnown() throws -> Bool { open.reads.queueIDs["q"] != nil }
}

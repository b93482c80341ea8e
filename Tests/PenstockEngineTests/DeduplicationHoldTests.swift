import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// The decision by itself: who holds an id, add after add.
@Suite(.computing) struct DeduplicationHoldTests {
    private func hold(
        _ stored: DeduplicationHold.Stored? = nil,
        due: UInt64 = 0,
        hasKept: Bool = false
    ) -> DeduplicationHold {
        let before = stored.map { DeduplicationRecord(job: $0.job, due: due, hasKept: hasKept) }
        return DeduplicationHold(queue: 0, id: [1], before: before, stored: stored)
    }

    private func stored(isDelayed: Bool = false, isActive: Bool = false) -> DeduplicationHold.Stored {
        DeduplicationHold.Stored(job: JobID(7), canBeReplaced: isDelayed, isActive: isActive)
    }

    private func holder(_ hold: DeduplicationHold) -> String {
        switch hold.holder {
        case .nobody: "nobody"
        case .stored(let stored): "job \(stored.job)"
        case .node(let node, _): "node \(node)"
        }
    }

    @Test func `whoever comes first holds the id`() {
        var hold = hold()
        #expect(holder(hold) == "nobody")
        let plain = Deduplication(id: "a")
        #expect(hold.add(3, plain, isDelayed: false, now: 10) == .holds(insteadOf: nil))
        #expect(hold.add(4, plain, isDelayed: false, now: 10) == .deduplicated)
        #expect(holder(hold) == "node 3" && hold.due == 0)
    }

    @Test(arguments: [
        // held until, ttl, extend: held until
        (100, 50, false, 100), (100, 50, true, 100), (100, 500, true, 510), (100, 500, false, 100), (0, 50, true, 0),
    ])
    func `an end is moved by those that extend it, and only back`(
        due: UInt64,
        ttl: UInt64,
        extends: Bool,
        expected: UInt64
    ) {
        var hold = hold(stored(), due: due)
        let terms = Deduplication(id: "a", ttl: ttl, extends: extends)
        #expect(hold.add(0, terms, isDelayed: false, now: 10) == .deduplicated)
        #expect(hold.due == expected)
    }

    @Test(arguments: [
        // held until, ttl, extend: held until
        (100, 0, false, 0), (100, 50, false, 100), (100, 50, true, 100), (100, 500, true, 510), (0, 50, false, 60),
    ])
    func `a replacement goes on with the time, or extends it, or has none`(
        due: UInt64,
        ttl: UInt64,
        extends: Bool,
        expected: UInt64
    ) {
        var hold = hold(stored(isDelayed: true), due: due)
        let terms = Deduplication(id: "a", ttl: ttl, extends: extends, replaces: true)
        #expect(hold.add(0, terms, isDelayed: false, now: 10) == .holds(insteadOf: nil))
        #expect(hold.due == expected && hold.replacedJob == JobID(7) && holder(hold) == "node 0")
    }

    @Test func `a node gives way to a later one only where it is delayed`() {
        var hold = hold()
        let terms = Deduplication(id: "a", replaces: true)
        #expect(hold.add(0, terms, isDelayed: true, now: 10) == .holds(insteadOf: nil))
        #expect(hold.add(1, terms, isDelayed: false, now: 10) == .holds(insteadOf: 0))
        #expect(hold.add(2, terms, isDelayed: true, now: 10) == .deduplicated)
        #expect(hold.replacedJob == nil && holder(hold) == "node 1")
    }

    @Test func `the last node is kept while the job is active, or while one is kept already`() {
        let terms = Deduplication(id: "a", keepsLastIfActive: true)
        var idle = hold(stored())
        #expect(idle.add(0, terms, isDelayed: false, now: 10) == .deduplicated)
        #expect(!idle.hasKept && idle.keptNode == nil)
        for hold in [hold(stored(isActive: true), due: 90), hold(stored(), hasKept: true)] {
            var hold = hold
            #expect(hold.add(0, terms, isDelayed: false, now: 10) == .kept)
            #expect(hold.add(1, Deduplication(id: "a"), isDelayed: false, now: 10) == .deduplicated)
            #expect(hold.add(2, terms, isDelayed: false, now: 10) == .kept)
            #expect(hold.hasKept && hold.keptNode == 2 && hold.due == 0 && holder(hold) == "job 7")
        }
    }

    @Test func `a replacement leaves nothing kept`() {
        var hold = hold(stored(isDelayed: true), hasKept: true)
        let terms = Deduplication(id: "a", replaces: true, keepsLastIfActive: true)
        #expect(hold.add(0, terms, isDelayed: false, now: 10) == .holds(insteadOf: nil))
        #expect(!hold.hasKept && hold.keptNode == nil)
    }
}

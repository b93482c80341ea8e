import PenstockWire
import TestSupport
import Testing

@testable import PenstockServer

@Suite(.computing) struct JobSlotIndexTests {
    @Test
    func `a job is found until it is removed`() {
        var index = JobSlotIndex()
        #expect(index.insert(JobID(7), slot: 3) == true)
        #expect(index.slot(of: JobID(7)) == 3)
        #expect(index.slot(of: JobID(8)) == nil)
        #expect(index.slot(of: .none) == nil)
        #expect(index.remove(JobID(7)) == 3)
        #expect(index.slot(of: JobID(7)) == nil)
        #expect(index.remove(JobID(7)) == nil)
        #expect(index.count == 0)
    }

    @Test
    func `a job that is entered keeps its slot`() {
        var index = JobSlotIndex()
        #expect(index.insert(JobID(7), slot: 3) == true)
        #expect(index.insert(JobID(7), slot: 4) == false)
        #expect(index.slot(of: JobID(7)) == 3)
        #expect(index.count == 1)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `it agrees with a dictionary`(seed: UInt64) {
        var random = TestRandom(seed: seed)
        var index = JobSlotIndex()
        var model: [UInt64: UInt32] = [:]
        // Numbers in order, or far apart so that homes meet by chance.
        let spread: UInt64 = seed % 2 == 0 ? 1 : 0x0101_0101_0101_0101
        for step in 0..<4000 {
            let job = (random.next() % 400 + 1) &* spread
            if random.oneIn(2) {
                let isNew = model[job] == nil
                #expect(index.insert(JobID(job), slot: UInt32(step)) == isNew)
                if isNew { model[job] = UInt32(step) }
            } else {
                #expect(index.remove(JobID(job)) == model.removeValue(forKey: job))
            }
            if step % 100 == 0 { index.checkInvariants() }
        }
        #expect(index.count == model.count)
        for (job, slot) in model { #expect(index.slot(of: JobID(job)) == slot) }
    }

    @Test
    func `it grows with its jobs, and shrinks when they have gone`() {
        var index = JobSlotIndex()
        for job in 1...10_000 as ClosedRange<UInt64> { _ = index.insert(JobID(job), slot: UInt32(job)) }
        #expect(index.cellCount == 32_768)
        for job in 1...9_990 as ClosedRange<UInt64> { index.remove(JobID(job)) }
        index.checkInvariants()
        #expect(index.cellCount <= 512)
        for job in 9_991...10_000 as ClosedRange<UInt64> { #expect(index.slot(of: JobID(job)) == UInt32(job)) }
    }
}

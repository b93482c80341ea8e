import PenstockEngine
import PenstockWire
import TestSupport
import Testing

@testable import PenstockServer

@Suite(.computing) struct ReadyWindowTests {
    private func turn(_ place: UInt64, priority: UInt32 = 0) -> Turn { Turn(priority: priority, place: place) }

    /// A window that covers all, holding these places.
    private func window(_ places: [UInt64] = [], capacity: Int = 100) -> ReadyWindow {
        var window = ReadyWindow()
        window.coverAll()
        for place in places { _ = window.insert(turn(place), JobID(place), capacity: capacity) }
        return window
    }

    private func places(_ window: ReadyWindow) -> [UInt64] { (0..<window.count).map { window[$0].turn.place } }

    @Test
    func `a new window covers nothing, and asks for a refill`() {
        var window = ReadyWindow()
        #expect(window.needsRefill)
        #expect(window.insert(turn(5), JobID(5), capacity: 10) == false)
        #expect(window.isEmpty)
    }

    @Test
    func `jobs stand in the order of their turns, however they come`() {
        let window = window([5, 9, 2, 7, 1, 8])
        #expect(places(window) == [1, 2, 5, 7, 8, 9])
        #expect(window.bound == nil)
    }

    @Test
    func `priority goes before place`() {
        var window = window([5, 9])
        _ = window.insert(turn(1, priority: 1), JobID(1), capacity: 10)
        _ = window.insert(turn(7), JobID(7), capacity: 10)
        #expect((0..<window.count).map { window[$0].job.rawValue } == [5, 7, 9, 1])
    }

    @Test
    func `a job that is there already is not taken again`() {
        var window = window([5, 9])
        #expect(window.insert(turn(5), JobID(5), capacity: 10) == false)
        #expect(window.insert(turn(9), JobID(9), capacity: 10) == false)
        #expect(window.count == 2)
    }

    @Test
    func `a full window evicts its last job, and is bounded by it`() {
        var window = window([1, 3, 5, 7], capacity: 4)
        #expect(window.insert(turn(2), JobID(2), capacity: 4) == true)
        #expect(places(window) == [1, 2, 3, 5])
        #expect(window.bound == turn(7))
        #expect(window.insert(turn(7), JobID(7), capacity: 4) == false)
        #expect(window.insert(turn(6), JobID(6), capacity: 4) == false)
        #expect(window.bound == turn(6))
        window.checkInvariants()
    }

    @Test
    func `a window that becomes empty below its bound asks for a refill, and goes on from there`() {
        var window = window([1, 3], capacity: 2)
        _ = window.insert(turn(5), JobID(5), capacity: 2)
        window.removeFirst()
        window.removeFirst()
        #expect(window.needsRefill)
        window.extend(turn(5), JobID(5))
        window.cover(through: turn(5))
        #expect(window.bound == turn(6))
        #expect(!window.needsRefill)
        window.removeFirst()
        window.coverAll()
        #expect(!window.mayHaveJobs)
    }

    @Test
    func `what is left to the index is above the bound`() {
        var window = window([1, 3, 5])
        window.leaveToIndex(from: turn(3))
        #expect(places(window) == [1])
        #expect(window.bound == turn(3))
        window.leaveToIndex(from: turn(9))
        #expect(window.bound == turn(3))
    }

    @Test
    func `the turn after the last place of a priority is the next priority's first`() {
        #expect(turn(.max).successor == turn(0, priority: 1))
        #expect(turn(.max, priority: .max).successor == nil)
    }

    @Test
    func `a window that was large and is empty holds no memory`() {
        var window = window(Array(1...4096), capacity: 4096)
        #expect(window.capacityHeld == 4096)
        for _ in 0..<4096 { window.removeFirst() }
        #expect(window.capacityHeld == 0)
        #expect(window.bound == nil)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `it agrees with a sorted array`(seed: UInt64) {
        var random = TestRandom(seed: seed)
        let capacity = 1 + random.below(9)
        var window = window()
        var model: [UInt64] = []
        var bound = UInt64.max
        for _ in 0..<2000 {
            switch random.below(4) {
            case 0, 1:
                let place = random.next() % 60
                let isTaken = window.insert(turn(place), JobID(place + 1), capacity: capacity)
                var expected = false
                if place < bound && !model.contains(place) {
                    model.append(place)
                    model.sort()
                    if model.count > capacity { bound = model.removeLast() }
                    expected = model.contains(place)
                }
                #expect(isTaken == expected)
            case 2:
                let place = random.next() % 60
                #expect(window.remove(turn(place), JobID(place + 1)) == model.contains(place))
                model.removeAll { $0 == place }
            default:
                if let first = window.first {
                    #expect(first.turn.place == model.removeFirst())
                    window.removeFirst()
                } else if random.oneIn(4) {
                    window.coverAll()
                    bound = .max
                }
            }
            window.checkInvariants()
            #expect(places(window) == model)
        }
    }
}

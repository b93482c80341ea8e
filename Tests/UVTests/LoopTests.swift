import Glibc
import Synchronization
import Testing
import UV

extension UVSuite {
    @Suite struct LoopTests {
        @Test func `an error has libuv's name and message`() {
            #expect(UVError.addressInUse.name == "EADDRINUSE")
            #expect(UVError.addressInUse.message == "address already in use")
            #expect("\(UVError.endOfFile)" == "EOF: end of file")
            #expect(UVError(code: -9_999).name == "Unknown system error -9999")
        }

        @Test func `a loop with nothing to do returns`() throws {
            try withLoop { loop in
                loop.beforePoll = {}
                loop.run()
                #expect(!loop.runOnce(wait: true))
                #expect(loop.isOnLoopThread)
            }
        }

        @Test func `the work of a turn runs around each wait`() throws {
            try withLoop { loop in
                var log: [String] = []
                loop.beforePoll = { log.append("before") }
                loop.afterPoll = { log.append("after") }
                let timer = Timer(on: loop) {
                    log.append("timer")
                    loop.stop()
                }
                timer.start(afterMilliseconds: 1)
                loop.run()
                // Where making it took a millisecond, the timer is due before the first wait.
                #expect(log.filter { $0 != "timer" }.prefix(2) == ["before", "after"])
                #expect(log.contains("timer"))
                loop.beforePoll = nil
                loop.afterPoll = nil
                log = []
                loop.runOnce(wait: false)
                #expect(log.isEmpty)
            }
        }

        @Test func `output that is flushed before the wait goes out in the same turn`() throws {
            try withLoop { loop in
                let pair = try Pair(on: loop)
                pair.near.startReading()
                pair.far.startReading()
                pair.farPeer.onRead = { stream in stream.output.append([1, 2]) }
                pair.nearPeer.onRead = { stream in stream.close() }
                loop.beforePoll = { [near = pair.near, far = pair.far] in
                    far.flush()
                    near.flush()
                }
                pair.near.output.append([0])
                loop.run()
                #expect(pair.farPeer.received == [0])
                #expect(pair.nearPeer.received == [1, 2])
            }
        }

        @Test func `a stopped loop goes on with the next run`() throws {
            try withLoop { loop in
                var fired = 0
                let timer = Timer(on: loop) {
                    fired += 1; loop.stop()
                }
                timer.start(afterMilliseconds: 0, repeatMilliseconds: 1)
                loop.run()
                #expect(fired == 1)
                loop.run()
                #expect(fired == 2)
            }
        }

        @Test func `the clocks go forward`() throws {
            try withLoop { loop in
                let before = Loop.monotonicNanoseconds()
                let start = loop.now
                while Loop.monotonicNanoseconds() < before + 3_000_000 {}
                #expect(loop.now == start)
                loop.updateTime()
                #expect(loop.now >= start + 2)
            }
        }

        @Test func `work runs elsewhere and completes on the loop`() throws {
            try withLoop { loop in
                var results: [Int] = []
                for number in 0..<20 {
                    loop.queueWork({ number * number }) { square in
                        #expect(loop.isOnLoopThread)
                        results.append(square)
                    }
                }
                loop.run()
                #expect(results.sorted() == (0..<20).map { $0 * $0 })
            }
        }

        @Test func `closing a loop waits for its work`() throws {
            var isDone = false
            let loop = try Loop()
            loop.queueWork({ usleep(5_000) }) { _ in isDone = true }
            loop.close()
            #expect(isDone)
        }

        @Test func `a wake-up comes from another thread, and after it, more`() throws {
            try withLoop { loop in
                var wakes = 0
                var async: Async!
                async = try Async(on: loop) {
                    wakes += 1
                    if wakes == 3 { return async.close() }
                    let sender = async!
                    loop.queueWork({ sender.send() }) { _ in }
                }
                let sender = async!
                loop.queueWork({ sender.send() }) { _ in }
                loop.run()
                #expect(wakes == 3)
                async.send()
                loop.run()
                #expect(wakes == 3)
                async = nil
            }
        }

        @Test func `threads may send while the wake-up is closed`() throws {
            try withLoop { loop in
                for _ in 0..<20 {
                    let async = try Async(on: loop) {}
                    let started = Started()
                    for _ in 0..<4 {
                        loop.queueWork {
                            for _ in 0..<2_000 {
                                async.send()
                                started.flag.store(true, ordering: .relaxed)
                            }
                        } completion: { _ in
                        }
                    }
                    while !started.flag.load(ordering: .relaxed) {}
                    async.close()
                    loop.run()
                }
            }
        }

        @Test func `a signal calls its handler on the loop`() throws {
            try withLoop { loop in
                var terminations = 0
                var interrupts = 0
                var watches: [Signal] = []
                watches.append(
                    try Signal(on: loop, signal: SIGTERM) {
                        terminations += 1; kill(getpid(), SIGINT)
                    }
                )
                watches.append(
                    try Signal(on: loop, signal: SIGINT) {
                        interrupts += 1
                        for watch in watches { watch.close() }
                    }
                )
                kill(getpid(), SIGTERM)
                loop.run()
                #expect(terminations == 1)
                #expect(interrupts == 1)
                watches = []
                #expect(throws: UVError.invalidArgument) {
                    _ = try Signal(on: loop, signal: SIGKILL) {}
                }
            }
        }
    }
}

private final class Started: Sendable {
    let flag = Atomic(false)
}

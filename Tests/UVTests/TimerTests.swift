import Testing
import UV

extension UVSuite {
    @Suite struct TimerTests {
        @Test func `timers fire in the order of their times`() throws {
            try withLoop { loop in
                var order: [Int] = []
                let timers = [3, 1, 2].map { delay in
                    let timer = Timer(on: loop) { order.append(delay) }
                    timer.start(afterMilliseconds: UInt64(delay) * 4)
                    return timer
                }
                loop.run()
                #expect(order == [1, 2, 3])
                #expect(timers.allSatisfy { !$0.isActive })
            }
        }

        @Test func `a repeating timer stops in its own callback`() throws {
            try withLoop { loop in
                var fired = 0
                var timer: Timer!
                timer = Timer(on: loop) {
                    fired += 1
                    if fired == 3 { timer.stop() }
                }
                timer.start(afterMilliseconds: 1, repeatMilliseconds: 1)
                loop.run()
                #expect(fired == 3)
                timer.start(afterMilliseconds: 0)
                loop.run()
                #expect(fired == 4)
                timer = nil
            }
        }

        @Test func `a timer may close itself, twice, and be started in vain`() throws {
            try withLoop { loop in
                var fired = 0
                var timer: Timer!
                timer = Timer(on: loop) {
                    fired += 1
                    timer.close()
                    timer.close()
                    timer.start(afterMilliseconds: 0)
                    timer.stop()
                }
                timer.start(afterMilliseconds: 0, repeatMilliseconds: 1)
                loop.run()
                #expect(fired == 1)
                #expect(timer.isClosed)
                #expect(!timer.isActive)
                timer = nil
            }
        }

        @Test func `a timer that doesn't keep the loop alive doesn't`() throws {
            try withLoop { loop in
                let timer = Timer(on: loop) { Issue.record("fired") }
                timer.start(afterMilliseconds: 60_000)
                #expect(timer.keepsLoopAlive)
                timer.keepsLoopAlive = false
                #expect(!timer.keepsLoopAlive)
                loop.run()
            }
        }

        @Test func `handles that are dropped without a close are closed`() throws {
            var port = 0
            try withLoop { loop in
                do {
                    let timer = Timer(on: loop) { Issue.record("fired") }
                    timer.start(afterMilliseconds: 0)
                    let async = try Async(on: loop) { Issue.record("woken") }
                    async.send()
                    port = try Listener.tcp(host: "127.0.0.1", port: 0, on: loop) { _ in }.localPort
                }
                // It ends, as nothing keeps it alive; to close it traps where a handle is open.
                loop.run()
            }
            #expect(port > 0 && openSocketCount(port: port) == 0)
        }

        @Test func `a closed handle lets go of its closure`() throws {
            final class Token {}
            weak var token: Token?
            try withLoop { loop in
                let held = Token()
                token = held
                let timer = Timer(on: loop) { _ = held }
                timer.start(afterMilliseconds: 60_000)
                timer.close()
                loop.run()
                withExtendedLifetime(timer) {}
            }
            #expect(token == nil)
        }
    }
}

import Testing
import UV

extension UVSuite {
    @Suite struct MisuseTests {
        @Test func `a loop that runs itself stops the program`() async {
            await #expect(processExitsWith: .failure) {
                let loop = try Loop()
                let timer = Timer(on: loop) { loop.run() }
                timer.start(afterMilliseconds: 0)
                loop.run()
            }
        }

        @Test func `a loop that is dropped open stops the program`() async {
            await #expect(processExitsWith: .failure) {
                _ = try Loop()
            }
        }

        @Test func `a handle on a closed loop stops the program`() async {
            await #expect(processExitsWith: .failure) {
                let loop = try Loop()
                loop.close()
                _ = Timer(on: loop) {}
            }
        }

        @Test func `a call from another thread stops the program`() async {
            await #expect(processExitsWith: .failure) {
                let loop = try Loop()
                let async = try Async(on: loop) {}
                // The only handle that the compiler lets through.
                loop.queueWork({ async.close() }) { _ in }
                loop.run()
            }
        }
    }
}

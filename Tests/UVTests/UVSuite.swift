import TestSupport
import Testing
import UV

/// All tests of the module, one after another: some count what belongs to the
/// whole process, like its file descriptors and signals.
@Suite(.serialized, .computing)
enum UVSuite {}

/// Runs `body` with a loop of its own, on the test's thread, and closes it.
///
/// A loop that hangs is stopped, and the test fails.
func withLoop(
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (Loop) throws -> Void
) throws {
    let loop = try Loop()
    var isHung = false
    let watchdog = Timer(on: loop) {
        isHung = true
        loop.stop()
    }
    watchdog.keepsLoopAlive = false
    watchdog.start(afterMilliseconds: 20_000)
    defer {
        loop.close()
        #expect(!isHung, "the loop hung", sourceLocation: sourceLocation)
    }
    try body(loop)
}

import Testing

@testable import BenchSupport

struct VersionsTests {
    @Test func `the libraries tell their versions`() {
        #expect(Versions.current.libuv.hasPrefix("1."))
        #expect(Versions.current.lmdb.hasPrefix("0.9."))
        #expect(Versions.current.kernel.first?.isNumber == true)
    }
}

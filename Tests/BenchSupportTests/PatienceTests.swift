import Testing

@testable import PenstockBench

struct PatienceTests {
    @Test func `who waits for what does not come gives up, and says for what`() throws {
        var asked = 0
        try wait(atMost: .seconds(60), for: "a third question") {
            asked += 1
            return asked == 3
        }
        let failure = #expect(throws: ServerFailure.self) { try wait(atMost: .zero, for: "a miracle") { false } }
        #expect(failure?.description.contains("a miracle") == true)
    }
}

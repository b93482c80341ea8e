import PenstockWire
import TestSupport
import Testing

@Suite(.computing) struct NamesTests {
    @Test(arguments: ["q", "mail", "größe", "with space", "0", "流れ", String(repeating: "q", count: 128)])
    func `a queue can be called`(_ name: String) { #expect(refusal(name, Names.checkQueue) == nil) }

    @Test(arguments: ["", ":", "a:b", "a\0", String(repeating: "q", count: 129), String(repeating: "é", count: 65)])
    func `a queue can't be called`(_ name: String) { #expect(refusal(name, Names.checkQueue) == .invalidQueueName) }

    @Test(arguments: ["a", "order-7", "7a", "１２", " 1", "-1", String(repeating: "c", count: 255)])
    func `a custom id can be`(_ id: String) { #expect(refusal(id, Names.checkCustomID) == nil) }

    @Test(arguments: ["", "1", "00012345678901234567890", "a:b", "a\0b", String(repeating: "c", count: 256)])
    func `a custom id can't be`(_ id: String) { #expect(refusal(id, Names.checkCustomID) == .invalidCustomID) }

    @Test func `a job has a name, a flow need not have one`() {
        #expect(refusal("", Names.checkJob) == .invalidName)
        #expect(refusal("n", Names.checkJob) == nil)
        #expect(refusal("", Names.checkFlow) == nil)
    }

    @Test(
        arguments: [
            [0x80], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x61, 0xff], [0xe2, 0x82],
        ] as [[UInt8]]
    )
    func `what is not UTF-8 is no name`(_ bytes: [UInt8]) {
        #expect(refusal(bytes, Names.checkQueue) == .invalidUTF8)
        #expect(refusal(bytes, Names.checkCustomID) == .invalidUTF8)
        #expect(refusal(bytes, Names.checkJob) == .invalidUTF8)
        #expect(refusal(bytes, Names.checkFlow) == .invalidUTF8)
    }

    @Test func `a client's text is quoted without what could act in a terminal or end the quotes`() {
        #expect(Names.quoted("a\"b\\c") == #""a\"b\\c""#)
        #expect(Names.quoted("é流") == "\"é流\"")
        let acting = Names.quoted("\u{1b}[2J\u{9b}2J\u{7f}\0\n")
        #expect(acting.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
        #expect(Names.quoted(String(repeating: "x", count: 65)) == "\"" + String(repeating: "x", count: 64) + "…\"")
        #expect(Names.quoted("e" + String(repeating: "\u{301}", count: 1000)).utf8.count < 200)
    }

    private func refusal(_ name: String, _ check: (RawSpan) throws(WireError) -> Void) -> ErrorCode? {
        refusal(Array(name.utf8), check)
    }

    private func refusal(_ name: [UInt8], _ check: (RawSpan) throws(WireError) -> Void) -> ErrorCode? {
        do throws(WireError) {
            try check(name.rawSpan)
            return nil
        } catch {
            return error.code
        }
    }
}

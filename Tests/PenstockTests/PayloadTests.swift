import PenstockWire
import Testing

@testable import Penstock

/// Values to bytes and back.
struct PayloadTests {
    struct Step: Codable, Equatable {
        var place: String
        var cost: Int?
    }

    @Test func `values are JSON, no value is none, bytes are bytes`() throws {
        #expect(try PayloadCoder.encode(7) == RawPayload(bytes: Array("7".utf8), kind: .json))
        #expect(try PayloadCoder.encode(Int?.none) == RawPayload(bytes: Array("null".utf8), kind: .json))
        #expect(try PayloadCoder.encode(NoPayload()) == .none)
        #expect(try PayloadCoder.encode([1, 2] as [UInt8]) == RawPayload(bytes: [1, 2], kind: .binary))
        #expect(try PayloadCoder.encode([Int]()) == RawPayload(bytes: Array("[]".utf8), kind: .json))
        let raw = RawPayload(bytes: [9], kind: RawPayload.Kind(rawValue: 200))
        #expect(try PayloadCoder.encode(raw) == raw)
    }

    @Test func `what was encoded is decoded`() throws {
        let step = Step(place: "wall", cost: 3)
        #expect(try PayloadCoder.encode(step).decode(as: Step.self) == step)
        #expect(try PayloadCoder.encode([1, 2] as [UInt8]).decode(as: [UInt8].self) == [1, 2])
        #expect(try PayloadCoder.encode("text").decode(as: String.self) == "text")
        #expect(try RawPayload(bytes: Array("plain".utf8), kind: .text).decode(as: String.self) == "plain")
        #expect(try RawPayload.none.decode(as: Int?.self) == nil)
        #expect(try RawPayload.none.decode(as: RawPayload.self) == .none)
        #expect(try RawPayload(bytes: [1]).decode(as: NoPayload.self) == NoPayload())
    }

    @Test func `bytes that are something else are refused with a clear message`() throws {
        let error = try #require(throws: PenstockError.self) { try RawPayload.none.decode(as: Step.self) }
        #expect(error.code == .decodingFailed)
        #expect(error.message.hasPrefix("no value can't be decoded as Step"))
    }

    @Test func `ids stand as strings in JSON`() throws {
        let id = Penstock.JobID(rawValue: .max)
        let payload = try PayloadCoder.encode(id)
        #expect(payload.bytes == Array("\"18446744073709551615\"".utf8))
        #expect(try payload.decode(as: Penstock.JobID.self) == id)
    }

    @Test func `messages are cut between characters`() {
        #expect("abc".cut(toBytes: 3) == "abc")
        #expect("abc".cut(toBytes: 2) == "ab")
        #expect("aéb".cut(toBytes: 2) == "a")
        #expect("aéb".cut(toBytes: 3) == "aé")
        #expect(String(repeating: "€", count: 2000).cut(toBytes: 4096).utf8.count == 4095)
    }

    @Test func `what a handler throws becomes a failure`() {
        struct Broken: Error {}
        func failure(_ error: any Error) -> (String, Bool, UInt64?) {
            guard case .failed(let message, let unrecoverable, let delay) = HandlerOutcome.thrown(error) else {
                return ("", false, nil)
            }
            return (message, unrecoverable, delay)
        }
        #expect(failure(Broken()) == ("Broken()", false, nil))
        #expect(failure(UnrecoverableError("no")) == ("no", true, nil))
        #expect(failure(RetryAfter(.seconds(2), "later")) == ("later", false, 2000))
        #expect(failure(RetryAfter(.seconds(-2), "now")) == ("now", false, 0))
    }

    @Test func `a result that is too large fails the job`() throws {
        let error = #expect(throws: UnrecoverableError.self) {
            try HandlerOutcome.encoded(result: [UInt8](repeating: 0, count: Limits.payloadBytesMax + 1))
        }
        let outcome = try HandlerOutcome.thrown(#require(error))
        guard case .failed(let message, true, _) = outcome else {
            Issue.record("not failed for good")
            return
        }
        #expect(message.contains("1048577"))
    }
}

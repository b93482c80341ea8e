import PenstockTesting
import PenstockWire
import TestSupport
import Testing

/// Bad input gets its documented answer, and hurts nobody else.
@Suite(.inTurns) struct `Bad input` {
    /// Sends `bytes` on a connection of its own, in a session or before it, and gives the hard error that comes.
    ///
    /// A second client has a job while that happens, and goes on with it afterwards.
    private func hardError(
        _ bytes: [UInt8],
        isOpen: Bool = true,
        isClosedThen: Bool = false
    ) async throws -> (code: ErrorCode?, opcode: Opcode?, correlation: UInt32) {
        let found = Found()
        try await withWireServer { server in
            let healthy = try server.openClient()
            try healthy.add(2, queue: "healthy")
            try healthy.subscribe(["healthy"])
            let first = try healthy.deliveries()[0]
            let bad = isOpen ? try server.openClient() : try server.wireClient()
            bad.send(bytes: bytes)
            let frame = try bad.hardError()
            found.value = (frame.error, frame.opcode, frame.header.correlation)
            #expect(try healthy.complete(first) == .ok)
            #expect(try healthy.complete(healthy.deliveries()[0]) == .ok)
        }
        return found.value
    }

    private final class Found: @unchecked Sendable {  // because the test waits for the thread that writes it
        var value: (code: ErrorCode?, opcode: Opcode?, correlation: UInt32) = (nil, nil, 0)
    }

    @Test func `a frame that is too long is refused as soon as its length is known`() async throws {
        let length = UInt32(Limits.frameBytesMax)
        let error = try await hardError([UInt8](bytesOf: length))
        #expect(error == (.frameTooLong, .goodbye, 0))
    }

    @Test func `a length below the header's is refused`() async throws {
        #expect(try await hardError([11, 0, 0, 0]) == (.badHeader, .goodbye, 0))
    }

    @Test func `an unknown flag is refused`() async throws {
        let frame = WireClient.frame(opcode: Opcode.getServer.rawValue, flags: 0x10, correlation: 9)
        #expect(try await hardError(frame).code == .badHeader)
    }

    @Test func `a hard error that answers a frame bears its opcode and correlation`() async throws {
        let frame = WireClient.frame(opcode: Opcode.getJob.rawValue, correlation: 77, body: [0, 1])
        #expect(try await hardError(frame) == (.malformed, .getJob, 77))
    }

    @Test func `a count that does not fit its body is refused`() async throws {
        var writer = WireWriter()
        writer.u64(1)
        writer.u16(4000)
        let frame = WireClient.frame(opcode: Opcode.complete.rawValue, body: writer.bytes)
        #expect(try await hardError(frame).code == .malformed)
    }

    @Test func `no completions in a COMPLETE are refused`() async throws {
        let frame = WireClient.frame(Complete(sequence: 1, completions: []))
        #expect(try await hardError(frame).code == .malformed)
    }

    @Test func `bytes behind the last field are refused`() async throws {
        let frame = WireClient.frame(opcode: Opcode.getServer.rawValue, body: [0])
        #expect(try await hardError(frame).code == .malformed)
    }

    @Test func `a second HELLO is refused`() async throws {
        let frame = WireClient.frame(Hello(session: .random(), mode: .open))
        #expect(try await hardError(frame).code == .badHeader)
    }

    @Test(arguments: [Opcode.getServer, .add, .heartbeat, .goodbye])
    func `a frame before the HELLO is refused`(_ opcode: Opcode) async throws {
        let error = try await hardError(WireClient.frame(opcode: opcode.rawValue), isOpen: false)
        #expect(error.code == .helloExpected)
    }

    @Test func `an unknown opcode before the HELLO is refused`() async throws {
        #expect(try await hardError(WireClient.frame(opcode: 0xEE), isOpen: false).code == .helloExpected)
    }

    @Test(arguments: [0x00, 0x18, 0x6E, 0x7F, 0xFF] as [UInt8], [false, true])
    func `an opcode that is not known is answered, and the connection lives`(_ opcode: UInt8, isResumed: Bool)
        async throws
    {
        try await withWireServer { server in
            var client = try server.openClient()
            if isResumed {
                let other = try server.wireClient()
                try other.resume(client)
                client = other
            }
            client.send(bytes: WireClient.frame(opcode: opcode, correlation: 9, body: [1, 2, 3]))
            let frame = try client.nextError()
            #expect(frame.error == .unknownOpcode && frame.header.opcode == opcode && frame.header.correlation == 9)
            // It uses up no number.
            #expect(try client.add(queue: "q").count == 1)
        }
    }

    @Test func `another protocol is refused`() async throws {
        var hello = WireClient.frame(Hello(session: .random(), mode: .open), correlation: 5)
        hello[16] = UInt8(ascii: "X")
        #expect(try await hardError(hello, isOpen: false) == (.badMagic, .hello, 5))
    }

    @Test func `HTTP is refused`() async throws {
        let bytes = Array("GET / HTTP/1.1\r\nHost: penstock\r\n\r\n".utf8)
        #expect(try await hardError(bytes, isOpen: false).code == .frameTooLong)
    }

    @Test func `a client of another version is refused`() async throws {
        let hello = Hello(session: .random(), mode: .open, versionMin: 2, versionMax: 2)
        let error = try await hardError(WireClient.frame(hello, correlation: 5), isOpen: false)
        #expect(error == (.unsupportedVersion, .hello, 5))
    }

    @Test func `a HELLO above its bound is refused`() async throws {
        let length = UInt32(Limits.helloBytesMax)
        #expect(try await hardError([UInt8](bytesOf: length), isOpen: false).code == .frameTooLong)
    }

    @Test func `a frame between HELLO and WELCOME is refused`() async throws {
        let bytes = WireClient.frame(Hello(session: .random(), mode: .open)) + WireClient.frame(GetServer())
        #expect(try await hardError(bytes, isOpen: false).code == .helloExpected)
    }

    @Test(arguments: [0, 2, 100])
    func `a command whose number is not the next one is refused`(_ number: UInt64) async throws {
        let item = AddItem(isFlow: false, nodes: [AddNode(queue: 0, name: "x")])
        let frame = WireClient.frame(Add(sequence: number, queues: ["q"], items: [item]))
        #expect(try await hardError(frame).code == .badSequence)
    }

    @Test func `a confirmation of what was not answered is refused`() async throws {
        #expect(try await hardError(WireClient.frame(Heartbeat(number: 1))).code == .badSequence)
    }

    @Test func `one frame with commands too many in flight is refused`() async throws {
        // All of them in one write, so that they arrive in the time of a commit or two.
        let completion = Completion(slot: 0, token: LeaseToken(1))
        var bytes: [UInt8] = []
        for number in 1...8 * Limits.framesInFlightMax {
            bytes += WireClient.frame(Complete(sequence: UInt64(number), completions: [completion]))
        }
        #expect(try await hardError(bytes).code == .tooManyInFlight)
    }

    @Test func `adds beyond the window are refused`() async throws {
        let node = AddNode(queue: 0, name: "x", data: [UInt8](repeating: 1, count: Limits.payloadBytesMax))
        var bytes: [UInt8] = []
        for number in 1...8 {
            let item = AddItem(isFlow: false, nodes: [node])
            let add = Add(sequence: UInt64(number), queues: ["q"], items: [item])
            bytes += WireClient.frame(add, capacity: Limits.frameBytesMax)
        }
        try await withWireServer { [bytes] server in
            // The window is emptied by every commit: with so many clients at once one commit takes long enough.
            let clients = try (0..<8).map { _ in try server.openClient() }
            for client in clients { client.send(bytes: bytes) }
            var codes: [ErrorCode?] = []
            for client in clients {
                // A client whose adds were all taken in time has nothing to be refused.
                let frame = try client.next {
                    $0.isError || ($0.opcode == .applied && (try? client.hasOutcome(8, in: $0)) == true)
                }
                codes.append(frame.error)
            }
            #expect(codes.allSatisfy { $0 == nil || $0 == .addWindowExceeded })
            #expect(codes.contains(.addWindowExceeded))
        }
    }

    @Test func `a connection that is closed within a frame costs nobody anything`() async throws {
        try await withWireServer { server in
            let healthy = try server.openClient()
            for cut in [1, 3, 4, 15, 16, 20] {
                let bad = try server.openClient()
                let frame = WireClient.frame(GetJob(job: .id(JobID(1))))
                bad.send(bytes: Array(frame[..<cut]))
                bad.close()
            }
            try healthy.poll { $0.connections == 1 }
        }
    }

    @Test func `a client that sends one byte at a time is served`() async throws {
        try await withWireServer { server in
            let slow = try server.wireClient()
            let hello = WireClient.frame(Hello(session: .random(), mode: .open), correlation: 3)
            for byte in hello { slow.send(bytes: [byte]) }
            #expect(try slow.reply(to: 3, Welcome.self).refusal == nil)
            for byte in WireClient.frame(GetServer(), correlation: 4) { slow.send(bytes: [byte]) }
            #expect(try slow.reply(to: 4, ServerView.self).refusal == nil)
        }
    }

    @Test func `an unknown opcode is a soft error`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            for opcode: UInt8 in [0x00, 0x05, 0x30, 0x31, 0x32, 0x33, 0x6E, 0xFF] {
                client.send(bytes: WireClient.frame(opcode: opcode, correlation: 12, stream: 3))
                let error = try client.nextError()
                #expect(error.error == .unknownOpcode)
                #expect(error.header.opcode == opcode)
                #expect(error.header.correlation == 12)
                #expect(error.header.stream == 3)
            }
            try client.roundTrip()
        }
    }

    @Test func `a HELLO that does not come in time is refused`() async throws {
        try await withWireServer { server in
            let silent = try server.wireClient()
            let healthy = try server.openClient()
            try healthy.poll { $0.connections == 2 }
            server.advanceLeases(by: .milliseconds(5100))
            #expect(try silent.hardError().error == .helloTimeout)
            try healthy.roundTrip()
        }
    }

    @Test func `names that are no UTF-8 are refused`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            var frame = WireClient.frame(GetQueue(queue: "abc"), correlation: 8)
            frame[frame.count - 1] = 0xFF
            client.send(bytes: frame)
            #expect(try client.reply(to: 8, QueueView.self).refusal == .invalidUTF8)
            let item = AddItem(isFlow: false, nodes: [AddNode(queue: 0, name: "ab")])
            let add = WireClient.frame(Add(sequence: client.newSequence(), queues: ["q"], items: [item]))
            let place = add.indices.first { add[$0...].starts(with: Array("ab".utf8)) }!
            var broken = add
            broken[place] = 0xC0
            client.send(bytes: broken)
            #expect(try client.outcome(1).status == ErrorCode.invalidUTF8.rawValue)
            try client.add(queue: "q")
        }
    }

    @Test func `an add whose body can't be read uses up its number, and closes`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            var writer = WireWriter()
            writer.u64(client.newSequence())
            writer.u16(1)
            writer.string8("q")
            writer.u16(60_000)
            client.send(bytes: WireClient.frame(opcode: Opcode.add.rawValue, body: writer.bytes))
            #expect(try client.outcome(1).status == ErrorCode.malformed.rawValue)
            #expect(try client.hardError().error == .malformed)
            let again = try server.wireClient()
            #expect(try again.resume(client).welcome.lastApplied == 1)
            try again.add(queue: "q")
        }
    }

    @Test func `adds that mean nothing are refused with what they lack`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let node = AddNode(queue: 0, name: "a")
            func depending(_ target: DependencyFields.Target...) -> AddNode {
                AddNode(queue: 0, name: "b", dependencies: target.map { DependencyFields($0) })
            }
            #expect(try client.refusal(of: []) == .emptyAdd)
            #expect(try client.refusal(of: [depending(.node(1)), node]) == .forwardReference)
            #expect(try client.refusal(of: [depending(.node(7)), node]) == .forwardReference)
            #expect(try client.refusal(of: [node, depending(.node(1))]) == .selfReference)
            #expect(try client.refusal(of: [depending(.node(0))]) == .selfReference)
            #expect(try client.refusal(of: [depending(.job(JobID(4711)))]) == .unknownDependency)
            #expect(try client.refusal(of: [depending(.job(JobID(0)))]) == .unknownDependency)
            #expect(try client.refusal(of: [node, depending(.node(0), .node(0))]) == .duplicateDependency)
            #expect(try client.refusal(of: [AddNode(queue: 0, name: "")]) == .invalidName)
            #expect(try client.refusal(of: [node], queues: [""]) == .invalidQueueName)
            #expect(try client.refusal(of: [node], queues: ["a:b"]) == .invalidQueueName)
            #expect(try client.refusal(of: [node], queues: ["a\0b"]) == .invalidQueueName)
            #expect(try client.refusal(of: [node], queues: [String(repeating: "q", count: 129)]) == .invalidQueueName)
            for id in ["12", "a:b", "a\0"] {
                let node = AddNode(queue: 0, name: "a", customID: id)
                #expect(try client.refusal(of: [node]) == .invalidCustomID, "\(id)")
            }
            let twin = AddNode(queue: 0, name: "a", customID: "twin")
            #expect(try client.refusal(of: [twin, twin]) == .duplicateCustomID)
            var options = NodeOptions()
            options.priority = Limits.priorityMax + 1
            #expect(try client.refusal(of: [AddNode(queue: 0, name: "a", options: options)]) == .invalidOption)
            let large = AddNode(queue: 0, name: "a", data: [UInt8](repeating: 0, count: Limits.payloadBytesMax + 1))
            #expect(try client.refusal(of: [large]) == .payloadTooLarge)
            #expect(try client.refusal(of: Array(repeating: node, count: 10_001)) == .tooManyJobs)
            // Nothing of all that is stored, and the ids go on at 1.
            #expect(
                try client.request(GetQueue(queue: "q"), QueueView.self).map(\.counts.total).refusal == .queueNotFound
            )
            #expect(try client.add(queue: "q") == [JobID(1)])
        }
    }

    @Test func `an unknown option that must be understood is refused, any other skipped`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            for (tag, code) in [(UInt16(0x8063), ErrorCode.unknownOption), (0x0063, .ok)] {
                var writer = WireWriter()
                let number = client.newSequence()
                writer.u64(number)
                writer.u16(1)
                writer.string8("q")
                writer.u16(1)
                writer.u8(0)
                writer.string8("")
                writer.u8(0)
                writer.u32(1)
                writer.u16(0)
                writer.string8("name")
                writer.u8(0)
                writer.u32(0)
                writer.u32(0)
                writer.u8(1)
                writer.u16(tag)
                writer.u16(2)
                writer.u16(0)
                client.send(bytes: WireClient.frame(opcode: Opcode.add.rawValue, body: writer.bytes))
                #expect(try client.outcome(number).status == code.rawValue)
            }
        }
    }

    @Test func `a HELLO for a session of zeros, or with a lease out of bounds, is refused`() async throws {
        try await withWireServer { server in
            let client = try server.wireClient()
            let hello = Hello(session: SessionID(high: 0, low: 0), mode: .open)
            #expect(try client.request(hello, Welcome.self).refusal == .invalidRequest)
            let short = Hello(session: client.session, mode: .open, lockDuration: 999)
            #expect(try client.request(short, Welcome.self).refusal == .invalidRequest)
            try client.open()
        }
    }

    @Test func `a session that is not known can be opened anew on the same connection`() async throws {
        try await withWireServer { server in
            let client = try server.wireClient()
            #expect(try client.hello(resuming: .random()).refusal == .sessionUnknown)
            try client.open()
            let other = try server.wireClient()
            let hello = Hello(session: client.session, mode: .open)
            #expect(try other.request(hello, Welcome.self).refusal == .invalidRequest)
            try client.roundTrip()
        }
    }
}

extension WireClient {
    func hasOutcome(_ number: UInt64, in frame: Frame) throws -> Bool {
        try Applied(body: frame.body.rawSpan).outcomes.contains { $0.sequence + UInt64($0.count) > number }
    }
}

extension [UInt8] {
    /// A number as the wire has it.
    init(bytesOf value: UInt32) {
        var writer = WireWriter()
        writer.u32(value)
        self = writer.bytes
    }
}

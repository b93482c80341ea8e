import Testing
import UV

extension UVSuite {
    @Suite struct StreamTests {
        @Test func `bytes come back from an echo over TCP`() throws {
            try withLoop { loop in
                let pair = try Pair(on: loop)
                pair.farPeer.onRead = { [unowned peer = pair.farPeer] stream in
                    stream.send(peer.received)
                    peer.received = []
                }
                pair.nearPeer.onRead = { [unowned peer = pair.nearPeer] stream in
                    if peer.received.count == 5 { stream.close() }
                }
                pair.far.startReading()
                pair.near.startReading()
                pair.near.send(Array("hello".utf8))
                loop.run()
                #expect(pair.nearPeer.received == Array("hello".utf8))
                #expect(pair.nearPeer.ends == [nil])
                #expect(pair.farPeer.ends == [.endOfFile])
                #expect(pair.nearPeer.drains == 0)
                #expect(pair.far.peerName.hasPrefix("127.0.0.1:"))
            }
        }

        @Test func `a stream that the peer closes reports the end once`() throws {
            try withLoop { loop in
                let pair = try Pair(on: loop)
                pair.far.startReading()
                pair.far.startReading()
                pair.near.close()
                loop.run()
                pair.far.close()
                loop.run()
                #expect(pair.farPeer.ends == [.endOfFile])
                #expect(pair.far.isClosed)
                #expect(pair.far.delegate == nil)
            }
        }

        @Test func `a reset connection ends with its error`() throws {
            try withLoop { loop in
                let pair = try Pair(on: loop)
                pair.near.send([1])
                loop.runOnce(wait: false)
                pair.far.close()  // with a byte unread, which resets
                pair.near.startReading()
                loop.run()
                #expect(pair.nearPeer.ends == [.connectionReset])
            }
        }

        @Test func `writing to a peer that has gone ends the stream, not the process`() throws {
            try withLoop { loop in
                let pair = try Pair(on: loop)
                pair.far.close()
                loop.runOnce(wait: false)
                for _ in 0..<1_000 where !pair.near.isClosed {
                    pair.near.send([1])
                    loop.runOnce(wait: false)
                }
                loop.run()
                #expect([[.brokenPipe], [.connectionReset]].contains(pair.nearPeer.ends))
            }
        }

        @Test func `a peer that doesn't read gets everything in order when it does`() throws {
            try withLoop { loop in
                let pair = try Pair(on: loop)
                let bytes = pattern(12 << 20)
                var sent = 0
                // Pieces of odd sizes, so that they fall apart in new ways.
                while sent < bytes.count {
                    let piece = min(99_991, bytes.count - sent)
                    pair.near.send(Array(bytes[sent..<sent + piece]))
                    sent += piece
                    loop.runOnce(wait: false)
                }
                // The kernel took some; the rest is counted.
                #expect(pair.near.unsentBytes > 1 << 20)
                #expect(pair.near.unsentBytes < bytes.count)
                #expect(pair.nearPeer.drains == 0)
                pair.farPeer.onRead = { [unowned peer = pair.farPeer] stream in
                    if peer.received.count == bytes.count { stream.close() }
                }
                pair.nearPeer.onDrain = { stream in
                    #expect(stream.unsentBytes == 0)
                    stream.startReading()
                }
                pair.far.startReading()
                loop.run()
                #expect(pair.farPeer.received == bytes)
                #expect(pair.nearPeer.drains == 1)
                #expect(pair.nearPeer.ends == [.endOfFile])
            }
        }

        @Test func `bytes that are appended while a write waits stay in order`() throws {
            try withLoop { loop in
                let pair = try Pair(on: loop)
                let bytes = pattern(20 << 20)
                pair.near.send(Array(bytes[..<(10 << 20)]))
                pair.near.send(Array(bytes[(10 << 20)...]))
                #expect(pair.near.output.count == 10 << 20)
                pair.far.startReading()
                pair.near.closeAfterFlush()
                loop.run()
                #expect(pair.farPeer.received == bytes)
                #expect(pair.nearPeer.ends == [nil])
                #expect(pair.farPeer.ends == [.endOfFile])
            }
        }

        @Test func `a stream that stops reading slows the peer and reads on later`() throws {
            try withLoop { loop in
                let pair = try Pair(on: loop)
                let bytes = pattern(300_000)
                pair.farPeer.onRead = { $0.stopReading() }
                pair.far.startReading()
                pair.near.send(bytes)
                for _ in 0..<20 { loop.runOnce(wait: false) }
                // One read, of the loop's buffer at most.
                #expect((1...(64 << 10)).contains(pair.farPeer.received.count))
                pair.farPeer.onRead = nil
                pair.far.startReading()
                pair.near.closeAfterFlush()
                loop.run()
                #expect(pair.farPeer.received == bytes)
            }
        }

        @Test func `an idle stream holds no buffer`() throws {
            try withLoop { loop in
                let pair = try Pair(on: loop)
                #expect(pair.near.output.capacity == 0)
                pair.near.output.append([1, 2, 3])
                #expect(pair.near.output.capacity > 0)
                pair.near.flush()
                #expect(pair.near.output.capacity == 0)
                #expect(pair.near.unsentBytes == 0)
                pair.near.flush()
                pair.near.close()
                pair.far.close()
                loop.run()
            }
        }

        @Test func `a refused connection is an error of the completion`() throws {
            try withLoop { loop in
                let listener = try Listener.tcp(host: "127.0.0.1", port: 0, on: loop) { _ in }
                let port = listener.localPort
                listener.close()
                loop.run()
                let peer = Peer()
                var errors: [UVError] = []
                try Stream.connectTCP(host: "127.0.0.1", port: port, on: loop, delegate: peer) {
                    if case .failure(let error) = $0 { errors.append(error) }
                }
                loop.run()
                #expect(errors == [.connectionRefused])
                #expect(peer.ends.isEmpty)
            }
        }

        @Test func `a connection that is under way when its loop closes is cancelled`() throws {
            var errors: [UVError] = []
            try withLoop { loop in
                let listener = try Listener.tcp(host: "127.0.0.1", port: 0, on: loop) { _ in }
                try Stream.connectTCP(host: "127.0.0.1", port: listener.localPort, on: loop, delegate: Peer()) {
                    if case .failure(let error) = $0 { errors.append(error) }
                }
            }
            #expect(errors == [.cancelled])
        }
    }
}

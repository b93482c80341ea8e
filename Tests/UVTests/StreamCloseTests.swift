import Testing
import UV

extension UVSuite {
    @Suite struct StreamCloseTests {
        @Test func `closing drops output that waits and reports the end once`() throws {
            try withLoop { loop in
                let pair = try Pair(on: loop)
                pair.near.send(pattern(12 << 20))
                pair.near.output.append(pattern(1_000))
                #expect(pair.near.unsentBytes > 0)
                pair.near.close()
                pair.near.close()
                #expect(pair.nearPeer.ends.isEmpty)
                pair.far.startReading()
                loop.run()
                #expect(pair.nearPeer.ends == [nil])
                #expect(pair.nearPeer.drains == 0)
                #expect(pair.near.unsentBytes == 0)
                #expect(pair.farPeer.received.count < 12 << 20)
            }
        }

        @Test func `a closed stream ignores what is asked of it`() throws {
            try withLoop { loop in
                let pair = try Pair(on: loop)
                pair.near.close()
                pair.near.send([1])
                pair.near.startReading()
                pair.near.stopReading()
                pair.near.closeAfterFlush()
                pair.near.noDelay = false
                loop.run()
                pair.near.send([1])
                pair.far.close()
                loop.run()
                #expect(pair.nearPeer.ends == [nil])
            }
        }

        @Test func `closing after a flush delivers the last bytes past unread ones`() throws {
            try withLoop { loop in
                let pair = try Pair(on: loop)
                // What the far side never reads would reset the connection.
                pair.near.send(pattern(200_000))
                loop.runOnce(wait: false)
                pair.far.send(Array("error".utf8))
                pair.far.closeAfterFlush()
                pair.far.closeAfterFlush()
                pair.near.startReading()
                loop.run()
                #expect(pair.nearPeer.received == Array("error".utf8))
                #expect(pair.nearPeer.ends == [.endOfFile])
                #expect(pair.farPeer.ends == [nil])
                #expect(pair.farPeer.received.isEmpty)
            }
        }

        @Test func `closing after a flush gives up on a peer that doesn't read`() throws {
            try withLoop { loop in
                let pair = try Pair(on: loop)
                pair.near.send(pattern(12 << 20))
                pair.near.closeAfterFlush(timeoutMilliseconds: 30)
                pair.nearPeer.onClose = { [far = pair.far] in far.close() }
                loop.run()
                #expect(pair.nearPeer.ends == [.timedOut])
            }
        }

        @Test func `closing after a flush is clean with a peer that only keeps quiet`() throws {
            try withLoop { loop in
                let pair = try Pair(on: loop)
                pair.near.closeAfterFlush(timeoutMilliseconds: 30)
                // Too late, so dropped.
                pair.near.send([1])
                #expect(pair.near.unsentBytes == 0)
                pair.nearPeer.onClose = { [far = pair.far] in far.close() }
                loop.runOnce(wait: true)
                pair.near.send([1])
                loop.run()
                #expect(pair.nearPeer.ends == [nil])
            }
        }

        @Test func `both sides may close after a flush at once`() throws {
            try withLoop { loop in
                let pair = try Pair(on: loop)
                let bytes = pattern(9 << 20)
                pair.near.send(bytes)
                pair.far.startReading()
                pair.farPeer.onRead = { [unowned peer = pair.farPeer] stream in
                    if peer.received.count == bytes.count { stream.closeAfterFlush() }
                }
                pair.near.closeAfterFlush()
                loop.run()
                #expect(pair.farPeer.received == bytes)
                #expect(pair.nearPeer.ends == [nil])
                #expect(pair.farPeer.ends == [nil])
            }
        }

        @Test func `a stream may be closed from its read, with more to come`() throws {
            try withLoop { loop in
                let pair = try Pair(on: loop)
                var reads = 0
                pair.farPeer.onRead = { stream in
                    reads += 1
                    stream.close()
                }
                pair.far.startReading()
                pair.near.startReading()
                pair.near.send(pattern(1 << 20))
                loop.run()
                #expect(reads == 1)
                #expect(pair.farPeer.ends == [nil])
                #expect(pair.nearPeer.ends.count == 1)
            }
        }

        @Test func `closing the loop ends its streams`() throws {
            let peers: [Peer] = try {
                let loop = try Loop()
                let pair = try Pair(on: loop)
                pair.near.send(pattern(12 << 20))
                pair.far.startReading()
                loop.close()
                loop.close()
                return [pair.nearPeer, pair.farPeer]
            }()
            #expect(peers.map(\.ends) == [[nil], [nil]])
        }

        @Test func `a closed stream and its delegate are freed`() throws {
            weak var stream: Stream?
            weak var peer: Peer?
            try withLoop { loop in
                let pair = try Pair(on: loop)
                stream = pair.near
                peer = pair.nearPeer
                pair.nearPeer.onClose = { [peer = pair.nearPeer] in peer.onClose = nil }
                pair.near.send(pattern(12 << 20))
                pair.near.closeAfterFlush(timeoutMilliseconds: 10)
                pair.far.close()
                loop.run()
            }
            #expect(stream == nil)
            #expect(peer == nil)
        }

        @Test func `a thousand connections leave no file descriptor behind`() throws {
            var listenerPort = 0
            try withLoop { loop in
                let peer = Peer()
                var accepted = 0
                var connected = 0
                let listener = try Listener.tcp(host: "127.0.0.1", port: 0, on: loop) { stream in
                    accepted += 1
                    stream.delegate = peer
                    stream.startReading()
                }
                listener.onError = { error in Issue.record(error) }
                let port = listener.localPort
                listenerPort = port
                func connect() {
                    let completion = { (result: Result<Stream, UVError>) -> Void in
                        guard case .success(let stream) = result else {
                            Issue.record("not connected")
                            return
                        }
                        connected += 1
                        stream.send([1, 2, 3])
                        stream.closeAfterFlush()
                    }
                    do {
                        try Stream.connectTCP(
                            host: "127.0.0.1",
                            port: port,
                            on: loop,
                            delegate: peer,
                            completion: completion
                        )
                    } catch { Issue.record(error) }
                }
                // Twenty at a time, a new one for each two ends that are gone.
                var started = 20
                peer.onClose = {
                    if peer.ends.count == 2_000 { return listener.close() }
                    guard peer.ends.count.isMultiple(of: 2), started < 1_000 else { return }
                    started += 1
                    connect()
                }
                for _ in 0..<20 { connect() }
                loop.run()
                peer.onClose = nil
                #expect(accepted == 1_000)
                #expect(connected == 1_000)
                #expect(peer.ends.count == 2_000)
                #expect(peer.received.count == 3_000)
            }
            #expect(openSocketCount(port: listenerPort) == 0)
        }
    }
}

import Glibc
import Testing
import UV

extension UVSuite {
    @Suite struct ListenerTests {
        @Test func `a port in use is an error`() throws {
            try withLoop { loop in
                let first = try Listener.tcp(host: "127.0.0.1", port: 0, on: loop) { _ in }
                #expect(first.localPort > 0)
                #expect(throws: UVError.addressInUse) {
                    _ = try Listener.tcp(host: "127.0.0.1", port: first.localPort, on: loop) { _ in }
                }
            }
        }

        @Test(arguments: ["", "example.com", "1.2.3", "::zz", "127.0.0.1:80", "127.0.0.1\0"])
        func `what isn't a numeric address is an error`(host: String) throws {
            try withLoop { loop in
                #expect(throws: UVError.invalidArgument) {
                    _ = try Listener.tcp(host: host, port: 0, on: loop) { _ in }
                }
            }
        }

        @Test(arguments: [-1, 65_536])
        func `a port that isn't one is an error`(port: Int) throws {
            try withLoop { loop in
                #expect(throws: UVError.invalidArgument) {
                    _ = try Listener.tcp(host: "127.0.0.1", port: port, on: loop) { _ in }
                }
            }
        }

        @Test func `an IPv6 address works where the host has one`() throws {
            try withLoop { loop in
                var name = ""
                let listener: Listener
                do {
                    listener = try Listener.tcp(host: "::1", port: 0, on: loop) { stream in
                        name = stream.peerName
                        stream.close()
                    }
                } catch {
                    return  // The host has none.
                }
                let peer = Peer()
                try Stream.connectTCP(host: "::1", port: listener.localPort, on: loop, delegate: peer) {
                    if case .success(let stream) = $0 { stream.startReading() }
                    listener.close()
                }
                loop.run()
                #expect(peer.ends == [.endOfFile])
                #expect(name.hasPrefix("[::1]:"))
            }
        }

        @Test func `large output passes a Unix socket whole`() throws {
            let path = temporaryPath("large")
            try withLoop { loop in
                let bytes = pattern(5 << 20)
                let client = Peer()
                let server = Peer()
                let listener = try Listener.unix(path: path, on: loop) { stream in
                    stream.delegate = server
                    stream.send(bytes)
                    #expect(stream.unsentBytes > 0)
                    stream.closeAfterFlush()
                }
                try Stream.connectUnix(path: path, on: loop, delegate: client) { result in
                    if case .success(let stream) = result { stream.startReading() }
                    listener.close()
                }
                loop.run()
                #expect(client.received == bytes)
                #expect(client.ends == [.endOfFile])
                #expect(server.ends == [nil])
            }
        }

        @Test func `a Unix socket echoes, is private, and is removed at the end`() throws {
            let path = temporaryPath("echo")
            try withLoop { loop in
                let server = Peer()
                let client = Peer()
                server.onRead = { stream in stream.send(server.received) }
                let listener = try Listener.unix(path: path, on: loop) { stream in
                    #expect(stream.peerName == "unix:\(path)")
                    stream.delegate = server
                    stream.startReading()
                }
                #expect(mode(of: path) == 0o600)
                client.onRead = { stream in
                    stream.close()
                    listener.close()
                }
                try Stream.connectUnix(path: path, on: loop, delegate: client) { result in
                    guard case .success(let stream) = result else { return }
                    stream.startReading()
                    stream.send(Array("hello".utf8))
                }
                loop.run()
                server.onRead = nil
                #expect(client.received == Array("hello".utf8))
                #expect(mode(of: path) == nil)
            }
        }

        @Test func `a stale Unix socket is replaced and a live one isn't`() throws {
            let path = temporaryPath("stale")
            // A socket that is bound and closed without being removed.
            try withLoop { loop in
                let listener = try Listener.unix(path: path, on: loop) { _ in }
                #expect(unsafe link(path, path + ".kept") == 0)
                listener.close()
                #expect(unsafe rename(path + ".kept", path) == 0)
            }
            try withLoop { loop in
                let listener = try Listener.unix(path: path, mode: 0o666, on: loop) { $0.close() }
                #expect(mode(of: path) == 0o666)
                #expect(throws: UVError.addressInUse) {
                    _ = try Listener.unix(path: path, on: loop) { _ in }
                }
                for _ in 0..<3 { loop.runOnce(wait: false) }
                // The refused one took nothing away.
                #expect(mode(of: path) == 0o666)
                listener.close()
            }
            #expect(mode(of: path) == nil)
        }

        @Test func `a file that isn't a socket is left alone`() throws {
            let path = temporaryPath("file")
            let descriptor = unsafe open(path, O_CREAT | O_WRONLY, 0o640)
            close(descriptor)
            try withLoop { loop in
                #expect(throws: UVError.addressInUse) {
                    _ = try Listener.unix(path: path, on: loop) { _ in }
                }
            }
            #expect(mode(of: path) == 0o640)
            unsafe unlink(path)
        }

        @Test func `a path that is too long is an error, not a shorter path`() throws {
            let longest = "/tmp/" + String(repeating: "x", count: 102)
            try withLoop { loop in
                #expect(throws: UVError.nameTooLong) {
                    _ = try Listener.unix(path: longest + "x", on: loop) { _ in }
                }
                #expect(throws: UVError.nameTooLong) {
                    try Stream.connectUnix(path: longest + "x", on: loop, delegate: Peer()) { _ in }
                }
                #expect(throws: UVError.invalidArgument) {
                    _ = try Listener.unix(path: "", on: loop) { _ in }
                }
                let listener = try Listener.unix(path: longest, on: loop) { _ in }
                #expect(mode(of: longest) == 0o600)
                listener.close()
            }
        }

        @Test func `a listener without file descriptors turns connections away and goes on`() async {
            // In a process of its own: the limit holds for all of a process.
            await #expect(processExitsWith: .success) {
                try withLoop { loop in
                    let client = Peer()
                    var accepted = 0
                    let listener = try Listener.tcp(host: "127.0.0.1", port: 0, on: loop) { stream in
                        accepted += 1
                        stream.close()
                    }
                    var limit = rlimit()
                    unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                    // The client's socket is made now; the accepting one won't be.
                    try Stream.connectTCP(host: "127.0.0.1", port: listener.localPort, on: loop, delegate: client) {
                        if case .success(let stream) = $0 { stream.startReading() }
                    }
                    let next = unsafe open("/dev/null", O_RDONLY)
                    close(next)
                    var low = limit
                    low.rlim_cur = rlim_t(next)
                    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &low)
                    while client.ends.isEmpty { loop.runOnce(wait: true) }
                    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                    #expect(client.ends == [.endOfFile])
                    #expect(accepted == 0)
                    try Stream.connectTCP(host: "127.0.0.1", port: listener.localPort, on: loop, delegate: Peer()) {
                        if case .success(let stream) = $0 { stream.close() }
                        listener.close()
                    }
                    while accepted == 0 { loop.runOnce(wait: true) }
                    #expect(accepted == 1)
                }
            }
        }
    }
}

import UV

/// One end of a connection in a test: records what the stream says.
final class Peer: StreamDelegate {
    var received: [UInt8] = []
    var drains = 0
    /// The error of each `streamDidClose`; a correct stream has one.
    var ends: [UVError?] = []

    var onRead: ((Stream) -> Void)?
    var onDrain: ((Stream) -> Void)?
    var onClose: (() -> Void)?

    func stream(_ stream: Stream, didRead bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { unsafe received.append(contentsOf: $0) }
        onRead?(stream)
    }

    func streamDidDrain(_ stream: Stream) {
        drains += 1
        onDrain?(stream)
    }

    func streamDidClose(_ stream: Stream, error: UVError?) {
        ends.append(error)
        onClose?()
    }
}

extension OutputBuffer {
    func append(_ bytes: [UInt8]) {
        unsafe append(bytes.span.bytes)
    }
}

extension Stream {
    /// Appends bytes and sends them.
    func send(_ bytes: [UInt8]) {
        output.append(bytes)
        flush()
    }
}

/// A connection over TCP, both ends on one loop, neither reading yet.
final class Pair {
    let near: Stream
    let far: Stream
    let nearPeer = Peer()
    let farPeer = Peer()

    init(on loop: Loop) throws {
        var near: Stream?
        var far: Stream?
        let listener = try Listener.tcp(host: "127.0.0.1", port: 0, on: loop) { far = $0 }
        try Stream.connectTCP(host: "localhost", port: listener.localPort, on: loop, delegate: nearPeer) {
            near = try? $0.get()
        }
        while near == nil || far == nil { loop.runOnce(wait: true) }
        listener.close()
        self.near = near!
        self.far = far!
        self.far.delegate = farPeer
    }
}

/// Bytes without a pattern that a mistake could hit, so that lost or swapped ones
/// show. They repeat only after a prime number.
func pattern(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count {
        bytes.append(contentsOf: period.prefix(count - bytes.count))
    }
    return bytes
}

private let period: [UInt8] = {
    var state: UInt32 = 2_463_534_242
    return (0..<99_989).map { _ in
        state ^= state << 13
        state ^= state >> 17
        state ^= state << 5
        return UInt8(truncatingIfNeeded: state)
    }
}()

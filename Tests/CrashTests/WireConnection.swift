import Foundation
import PenstockWire

/// A blocking connection that speaks frames.
final class WireConnection {
    struct Frame {
        var header: FrameHeader
        var body: [UInt8]

        func decode<Message: WireMessage>(_ type: Message.Type) throws -> Message {
            try Message(body: body.rawSpan)
        }
    }

    private let socket: Int32
    private var splitter = FrameSplitter()
    private var received: [Frame] = []
    private var next = 0
    private var correlation: UInt32 = 0
    private var buffer = [UInt8](repeating: 0, count: 65536)

    init(port: Int) throws {
        socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw CrashError.failed("no socket: errno \(errno)") }
        var one: Int32 = 1
        unsafe setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        unsafe setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        // Whole by now, so that `deinit` closes the socket.
        guard connected == 0 else { throw CrashError.disconnected }
    }

    deinit { close(socket) }

    func nextCorrelation() -> UInt32 {
        correlation += 1
        return correlation
    }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { raw in
                unsafe Foundation.send(
                    socket,
                    raw.baseAddress! + sent,
                    bytes.count - sent,
                    Int32(MSG_NOSIGNAL)
                )
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw CrashError.disconnected }
            sent += count
        }
    }

    func send(_ message: some WireMessage, correlation: UInt32 = 0, stream: UInt32 = 0) throws {
        var writer = WireWriter()
        message.encodeFrame(into: &writer, correlation: correlation, stream: stream)
        try send(writer.bytes)
    }

    /// The next frame; nil if none comes in time.
    func receive(milliseconds: Int) throws -> Frame? {
        if let frame = takeReceived() { return frame }
        let end = Threads.nanoseconds + UInt64(milliseconds) * 1_000_000
        var wait = Int32(milliseconds)
        while true {
            var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            let ready = unsafe poll(&entry, 1, wait)
            if ready > 0 {
                let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(socket, $0.baseAddress!, $0.count, 0) }
                guard count > 0 else { throw CrashError.disconnected }
                try take(count)
                if let frame = takeReceived() { return frame }
            }
            let now = Threads.nanoseconds
            if now >= end { return nil }
            wait = Int32((end - now + 999_999) / 1_000_000)
        }
    }

    private func take(_ count: Int) throws {
        var frames: [Frame] = []
        let bytes = buffer
        try splitter.push(bytes.rawSpan.extracting(0..<count)) { (header, body) throws(WireError) in
            frames.append(Frame(header: header, body: body.array(ByteRange(offset: 0, count: body.byteCount))))
            return true
        }
        received.append(contentsOf: frames)
    }

    private func takeReceived() -> Frame? {
        guard next < received.count else { return nil }
        defer {
            next += 1
            if next == received.count {
                received.removeAll(keepingCapacity: true)
                next = 0
            }
        }
        return received[next]
    }
}

extension WireConnection.Frame {
    /// The error that the frame carries, if it is one.
    var error: CrashError? {
        guard header.flags.contains(.error) else { return nil }
        var reader = WireReader(body.rawSpan)
        let message = (try? ErrorBody(from: &reader))?.message ?? ""
        return .refused(ErrorCode(rawValue: header.status) ?? .internalError, message)
    }
}

import CLibUV
import Glibc

/// A numeric IP address with a port.
///
/// Names aren't looked up, because that blocks or needs a thread; `localhost` is
/// the one that is understood, as 127.0.0.1.
struct SocketAddress {
    private var storage = sockaddr_storage()

    /// The address that `host` and `port` write.
    ///
    /// - Throws: `UVError.invalidArgument` for what isn't an address, or a port
    ///   outside 0...65535.
    init(host: String, port: Int) throws(UVError) {
        // C would see a host with a zero byte as a shorter one.
        guard let port = UInt16(exactly: port), !host.utf8.contains(0) else { throw .invalidArgument }
        let host = host == "localhost" ? "127.0.0.1" : host
        let status = unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            let start = bytes.baseAddress!  // a struct with bytes in it
            // A colon is in every IPv6 address and in no IPv4 address.
            if host.utf8.contains(UInt8(ascii: ":")) {
                return unsafe uv_ip6_addr(host, Int32(port), start.assumingMemoryBound(to: sockaddr_in6.self))
            }
            return unsafe uv_ip4_addr(host, Int32(port), start.assumingMemoryBound(to: sockaddr_in.self))
        }
        try UVError.check(status)
    }

    /// The address that `read`, a call like `getsockname`, fills in.
    init(
        reading read: (UnsafeMutablePointer<sockaddr>, inout Int32) -> Int32
    ) throws(UVError) {
        var size = Int32(MemoryLayout<sockaddr_storage>.size)
        let status = unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            unsafe read(bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), &size)
        }
        try UVError.check(status)
    }

    /// Lends the address to a C function.
    func withPointer(_ body: (UnsafePointer<sockaddr>) -> Int32) -> Int32 {
        unsafe withUnsafeBytes(of: storage) { bytes in
            unsafe body(bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self))
        }
    }

    var port: Int {
        unsafe withUnsafeBytes(of: storage) { bytes in
            // Both families have the port, big-endian, behind the family.
            Int(UInt16(bigEndian: unsafe bytes.load(fromByteOffset: 2, as: UInt16.self)))
        }
    }

    /// The address as logs show it: `127.0.0.1:7000`, `[::1]:7000`.
    var name: String {
        let host = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
            let start = text.baseAddress!  // the capacity isn't zero
            let status = unsafe withPointer { address in unsafe uv_ip_name(address, start, 64) }
            return status == 0 ? unsafe String(cString: start) : "?"
        }
        return storage.ss_family == sa_family_t(AF_INET6) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

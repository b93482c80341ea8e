import Glibc

/// A path for a socket that no other test uses.
func temporaryPath(_ name: String) -> String {
    let path = "/tmp/uv-tests-\(getpid())-\(name).sock"
    unsafe unlink(path)
    return path
}

/// The permission bits of a file; nil if it isn't there.
func mode(of path: String) -> UInt32? {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return nil }
    return status.st_mode & 0o777
}

/// The open sockets of the process with an IPv4 port on either end: those of one test, whatever others do meanwhile.
func openSocketCount(port: Int) -> Int {
    (0..<Int32(4096)).count { isOpen($0, port: port, atPeer: false) || isOpen($0, port: port, atPeer: true) }
}

private func isOpen(_ file: Int32, port: Int, atPeer: Bool) -> Bool {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = unsafe withUnsafeMutablePointer(to: &address) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            atPeer ? unsafe getpeername(file, $0, &length) : unsafe getsockname(file, $0, &length)
        }
    }
    return status == 0 && address.sin_family == sa_family_t(AF_INET) && Int(address.sin_port.bigEndian) == port
}

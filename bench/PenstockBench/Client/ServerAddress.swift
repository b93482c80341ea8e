/// Where a server listens: `127.0.0.1:7000`, `[::1]:7000` or `unix:/run/penstock.sock`.
enum ServerAddress: Equatable, Sendable {
    case tcp(host: String, port: Int)
    case unix(path: String)

    init?(_ text: String) {
        let prefix = "unix:"
        if text.hasPrefix(prefix) {
            guard text.count > prefix.count else { return nil }
            self = .unix(path: String(text.dropFirst(prefix.count)))
            return
        }
        guard let colon = text.lastIndex(of: ":"),
            let port = Int(text[text.index(after: colon)...]), (1...65_535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { return nil }
        self = .tcp(host: String(host), port: port)
    }
}

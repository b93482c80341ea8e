import PenstockWire

/// What the clients did and what they were told: one side of what the checker compares.
///
/// An attempt is entered before it is sent, an outcome as soon as it has arrived. A ledger is a plain value, so that
/// a test of the checker can alter it.
struct Ledger: Sendable {
    /// A command's place: whose it is, and its number in that session.
    struct Key: Hashable, Sendable, CustomStringConvertible {
        var client: Int
        var sequence: UInt64
        var description: String { "\(client)/\(sequence)" }
    }

    enum Kind: Sendable, Equatable {
        case add(Add)
        case complete(LeaseToken, result: [UInt8])
        case fail(LeaseToken, unrecoverable: Bool)
    }

    struct Outcome: Sendable, Equatable {
        var commit: UInt64
        var index: UInt32
        var status: UInt16
        var items: [AddOutcome.Item] = []
        /// When it arrived, in nanoseconds.
        var at: UInt64 = 0

        var isOK: Bool { status == 0 }
        var place: Place { Place(commit: commit, index: index) }
    }

    /// A command's place in the one history of the server.
    struct Place: Hashable, Comparable, Sendable {
        var commit: UInt64
        var index: UInt32
        static func < (a: Place, b: Place) -> Bool { (a.commit, a.index) < (b.commit, b.index) }
    }

    struct Command: Sendable {
        var kind: Kind
        /// When it was first sent, in nanoseconds.
        var at: UInt64
        /// Its token was dead before it was sent: released, used up, another session's, or of an earlier epoch.
        var mustBeFenced = false
        /// Its lease was not known to live when it was sent: it may have been forgotten with the server that gave it.
        var mayBeFenced = false
        var outcome: Outcome?
    }

    struct Lease: Sendable {
        var client: Int
        var job: JobID
        /// The server's start in which it was last known to be alive.
        var epoch: UInt64
        var hasEnded = false
    }

    /// By client, each by number; number 1 is at 0.
    var commands: [[Command]] = []
    var leases: [LeaseToken: Lease] = [:]
    /// A job's last lease.
    var lastLease: [JobID: LeaseToken] = [:]
    /// What was found wrong while it happened.
    var violations: [String] = []

    init(clients: Int) { commands = Array(repeating: [], count: clients) }

    subscript(key: Key) -> Command? {
        guard commands.indices.contains(key.client), key.sequence > 0 else { return nil }
        let list = commands[key.client]
        return key.sequence <= UInt64(list.count) ? list[Int(key.sequence) - 1] : nil
    }

    func forEach(_ body: (Key, Command) -> Void) {
        for client in commands.indices {
            for (place, command) in commands[client].enumerated() {
                body(Key(client: client, sequence: UInt64(place) + 1), command)
            }
        }
    }
}

/// The mark that an added job bears in its data: which command made it, and as which node.
struct JobTag: Hashable, Sendable {
    var key: Ledger.Key
    var node: Int

    init(key: Ledger.Key, node: Int) {
        self.key = key
        self.node = node
    }

    /// The text, and as many bytes more as wanted.
    func data(padding: Int) -> [UInt8] {
        Array("\(key.client)/\(key.sequence)/\(node)|".utf8) + Array(repeating: UInt8(ascii: "x"), count: padding)
    }

    init?(data: [UInt8]) {
        let text = String(decoding: data.prefix(while: { $0 != UInt8(ascii: "|") }), as: UTF8.self)
        let parts = text.split(separator: "/")
        guard parts.count == 3, let client = Int(parts[0]), let sequence = UInt64(parts[1]), let node = Int(parts[2])
        else { return nil }
        self.init(key: Ledger.Key(client: client, sequence: sequence), node: node)
    }
}

import DequeModule
import PenstockEngine
import PenstockWire

/// The commands that the loop has taken and not handed over yet, cut into batches of bounded size.
///
/// A bound keeps a commit short: what arrives behind a burst waits for one batch
/// of it, not for all. Batches are used again.
struct Staging {
    /// The last commit whose outcome the dispatcher was told.
    var settled: UInt64 = 0
    /// What commands are added to.
    var open = Batch()
    /// Full batches, the oldest first: they go before ``open``.
    private var full: Deque<Batch> = []
    private var spare: [Batch] = []

    /// Copies bytes for the command that is staged next.
    mutating func keep(_ bytes: RawSpan) -> ByteRange { open.keep(bytes) }

    mutating func add(_ command: Command) {
        if open.commands.isEmpty { open.settled = settled }
        open.commands.append(command)
        if open.commands.count >= Exchange.batchCommandsMax || open.arena.count >= Exchange.batchBytesMax {
            var next = spare.popLast() ?? Batch()
            swap(&next, &open)
            full.append(next)
        }
    }

    /// Hands over as much as the writer has room for, in order.
    mutating func handOver(to exchange: Exchange) {
        while var first = full.popFirst() {
            guard exchange.offer(&first) else {
                full.prepend(first)
                return
            }
            if spare.count < 4 { spare.append(first) }
        }
        if !open.commands.isEmpty { _ = exchange.offer(&open) }
    }
}

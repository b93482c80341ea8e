import Glibc

/// Blocks of memory that the streams of a loop use in turn for their output.
///
/// A stream has output for a moment in each turn, so a few blocks serve thousands
/// of connections, and an idle one holds none. Blocks that have grown go back to
/// the system.
@safe
final class BlockPool {
    /// The size of a block: the frames of an ordinary turn fit.
    static let blockBytes = 16 << 10
    /// The blocks kept at most, 1 MiB for each loop.
    static let blocksMax = 64

    @unsafe private var spare: [UnsafeMutableRawPointer] = unsafe []

    /// The blocks that wait for use.
    var count: Int { unsafe spare.count }

    /// A block of `blockBytes`; from the system if none is spare.
    func take() -> UnsafeMutableRawPointer {
        if let block = unsafe spare.popLast() { return unsafe block }
        return unsafe BlockPool.allocated(malloc(BlockPool.blockBytes))
    }

    /// Takes a block back, or frees it if it isn't of the usual size.
    func give(_ block: UnsafeMutableRawPointer, capacity: Int) {
        if capacity == BlockPool.blockBytes, count < BlockPool.blocksMax {
            unsafe spare.append(block)
        } else {
            unsafe free(block)
        }
    }

    func removeAll() {
        while let block = unsafe spare.popLast() { unsafe free(block) }
    }

    deinit {
        removeAll()
    }

    /// The result of an allocation, which must not be missing: without memory
    /// there is nothing left to do.
    static func allocated(_ block: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer {
        guard let block = unsafe block else { fatalError("out of memory") }
        return unsafe block
    }
}

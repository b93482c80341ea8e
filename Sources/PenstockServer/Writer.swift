import LMDB
import PenstockEngine
import UV

/// The thread that owns the engine: takes a batch, applies it, makes it durable, posts what it came to.
struct Writer: ~Copyable {
    private let exchange: Exchange
    private let clock: ServerClock
    private let configuration: ServerConfiguration
    private let wake: Async
    private var engine: Engine
    private var batch = Batch()
    private var batchesUntilLook = 0
    /// Elapsed time of the last look at the space that is left.
    private var lastLook: UInt64 = 0
    private var random: SplitMix64

    /// Batches between two looks at the space that is left; each look walks the list of free pages.
    private static let batchesPerLook = 64
    /// Milliseconds between two looks while adds are refused, so that they are taken again soon after there is room.
    private static let refusingLookMilliseconds: UInt64 = 1000
    /// Milliseconds between two tries while the disk is full.
    private static let fullRetryMilliseconds: UInt32 = 200

    init(
        _ engine: consuming Engine,
        _ exchange: Exchange,
        _ clock: ServerClock,
        _ configuration: ServerConfiguration,
        wake: Async
    ) {
        self.exchange = exchange
        self.clock = clock
        self.configuration = configuration
        self.wake = wake
        random = SplitMix64(seed: Loop.monotonicNanoseconds() ^ engine.epoch << 32)
        self.engine = engine
    }

    mutating func run() {
        while exchange.take(&batch) {
            batch.elapsed = clock.elapsed
            batch.wall = clock.wall
            batch.seed = random.next()
            lookForRoom()
            var result = exchange.spareResult()
            do throws(EngineError) {
                try apply(into: &result)
            } catch {
                exchange.fail(error)
                wake.send()
                return
            }
            batch.removeAll()
            exchange.post(result)
            wake.send()
        }
    }

    /// Applies the batch; on a full disk without its adds, and then again and again until there is room.
    private mutating func apply(into result: inout BatchResult) throws(EngineError) {
        var refusesAdds = false
        while true {
            do throws(EngineError) {
                return try engine.apply(batch, refusingAdds: refusesAdds, into: &result)
            } catch {
                guard case .full = error else { throw error }
            }
            batchesUntilLook = 0
            if refusesAdds {
                // Nobody waits any more: the batch is not applied and not answered, as after a crash.
                if exchange.isStopping { throw .full }
                Loop.sleep(milliseconds: Writer.fullRetryMilliseconds)
            }
            refusesAdds = true
        }
    }

    private mutating func lookForRoom() {
        batchesUntilLook -= 1
        let mayHaveRoom = engine.isOverQuota && batch.elapsed >= lastLook + Writer.refusingLookMilliseconds
        guard batchesUntilLook < 0 || mayHaveRoom else { return }
        batchesUntilLook = Writer.batchesPerLook
        lastLook = batch.elapsed
        let used = (try? engine.environment.usage().usedBytes) ?? 0
        let free = DiskSpace.free(at: configuration.dataDirectory) ?? .max
        engine.isOverQuota = used > configuration.quotaBytes || free < configuration.diskReserveBytes
    }
}

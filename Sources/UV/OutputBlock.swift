/// The memory that an `OutputBuffer` gave away, until its bytes are written.
@safe
struct OutputBlock: ~Copyable {
    @unsafe let start: UnsafeMutableRawPointer
    let count: Int
    let capacity: Int
    private let pool: BlockPool

    init(start: UnsafeMutableRawPointer, count: Int, capacity: Int, pool: BlockPool) {
        unsafe self.start = unsafe start
        self.count = count
        self.capacity = capacity
        self.pool = pool
    }

    deinit {
        unsafe pool.give(start, capacity: capacity)
    }
}

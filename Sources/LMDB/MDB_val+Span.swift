import CLMDB
import Glibc

extension MDB_val {
    /// The bytes, with a lifetime that the caller must bind to the transaction's.
    var span: RawSpan {
        @_lifetime(immortal)
        get {
            let bytes = unsafe UnsafeRawBufferPointer(start: mv_data, count: mv_size)
            let span = unsafe RawSpan(_unsafeBytes: bytes)
            return unsafe _overrideLifetime(span, copying: ())
        }
    }

    func hasBytes(of other: MDB_val) -> Bool {
        unsafe mv_size == other.mv_size && memcmp(mv_data, other.mv_data, mv_size) == 0
    }
}

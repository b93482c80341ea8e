/// How far a stream is on its way to its end.
enum StreamState {
    /// Reads and writes.
    case open
    /// `closeAfterFlush`: writes what is left; reads on, for the end only.
    case flushing
    /// The peer has ended its side meanwhile.
    case endedAndFlushing
    /// All is written and the end is sent; awaits the peer's.
    case shutDown
}

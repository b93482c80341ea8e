/// What a stream tells the one who uses it.
///
/// All of it on the loop's thread, never from within a call to the stream.
public protocol StreamDelegate: AnyObject {
    /// Bytes came. They are lent: what is needed later must be copied.
    func stream(_ stream: Stream, didRead bytes: RawSpan)

    /// All output is written, after some of it had to wait for the peer.
    func streamDidDrain(_ stream: Stream)

    /// The stream is gone; called once, and last.
    ///
    /// `error` is `UVError.endOfFile` when the peer ended it, nil when this side
    /// did, otherwise what went wrong.
    func streamDidClose(_ stream: Stream, error: UVError?)
}

extension StreamDelegate {
    public func streamDidDrain(_ stream: Stream) {}
}

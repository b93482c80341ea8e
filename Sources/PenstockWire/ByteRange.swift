/// A place in a frame's body or in a batch's arena: trivial, so that a command can keep it.
package struct ByteRange: Equatable, Sendable {
    package var offset: UInt32
    package var count: UInt32

    package static let empty = ByteRange(offset: 0, count: 0)

    /// Both numbers are below the size of a frame or of a batch's arena, and so fit.
    package init(offset: Int, count: Int) {
        self.offset = UInt32(offset)
        self.count = UInt32(count)
    }

    package var isEmpty: Bool { count == 0 }
    package var indices: Range<Int> { Int(offset)..<Int(offset) + Int(count) }
}

extension RawSpan {
    @_lifetime(copy self)
    package func extracting(_ range: ByteRange) -> RawSpan { extracting(range.indices) }

    package func array(_ range: ByteRange) -> [UInt8] { [UInt8](copying: extracting(range)) }

    /// The text in the range; anything but well-formed UTF-8 is refused.
    package func string(_ range: ByteRange, _ what: StaticString) throws(WireError) -> String {
        guard let text = String(validating: extracting(range)) else {
            throw WireError(.invalidUTF8, "The \(what) is not valid UTF-8.")
        }
        return text
    }
}

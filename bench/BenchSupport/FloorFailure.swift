/// Why a floor could not be measured.
package struct FloorFailure: Error, Equatable, CustomStringConvertible {
    /// What was measured.
    package let floor: String
    /// An errno, or a code of the library (negative).
    package let code: Int32
    package let message: String

    package var description: String { "\(floor): \(message) (\(code))" }
}

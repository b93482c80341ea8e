import CLibUV

/// The variables of the process's environment.
public enum EnvironmentVariable {
    /// Bytes of a value that is read, at most.
    public static let bytesMax = 4096

    /// The value of a variable; nil when it is not set, or longer than `bytesMax`.
    public static func value(of name: String) -> String? {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytesMax + 1) { buffer in
            let start = buffer.baseAddress!  // the capacity isn't zero
            var size = buffer.count
            return unsafe uv_os_getenv(name, start, &size) == 0 ? unsafe String(cString: start) : nil
        }
    }
}

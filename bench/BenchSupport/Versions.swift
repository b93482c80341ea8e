internal import CFloors
internal import Foundation

/// The versions of what the figures depend on.
package struct Versions: Codable, Equatable, Sendable {
    package let libuv: String
    package let lmdb: String
    /// The compiler, to the minor version.
    package let swift: String
    package let kernel: String

    /// Those of this process and machine.
    package static let current = Versions(
        libuv: dotted(floors_uv_version()),
        lmdb: dotted(floors_lmdb_version()),
        swift: compiler,
        kernel: ((try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8)) ?? "unknown")
            .trimmingCharacters(in: .whitespacesAndNewlines)
    )

    /// The compiler tells its version only by conditions.
    private static var compiler: String {
        #if compiler(>=6.5)
            "6.5 or later"
        #elseif compiler(>=6.4)
            "6.4"
        #else
            "6.3"
        #endif
    }

    /// 0xMMmmpp as M.m.p.
    private static func dotted(_ version: UInt32) -> String {
        "\(version >> 16).\(version >> 8 & 0xff).\(version & 0xff)"
    }
}

import Glibc
import Testing
import UV

extension UVSuite {
    @Suite struct FileContentsTests {
        @Test func `a file is read whole, up to its bound`() throws {
            let path = temporaryPath("contents")
            let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            write(bytes, to: path)
            defer { unsafe unlink(path) }
            #expect(try FileContents.read(path, bytesMax: 100_000) == bytes)
            #expect(try FileContents.read(path, bytesMax: 1 << 30) == bytes)
            #expect(throws: UVError.fileTooLarge) { try FileContents.read(path, bytesMax: 99_999) }
        }

        @Test func `an empty file has no bytes`() throws {
            let path = temporaryPath("empty")
            write([], to: path)
            defer { unsafe unlink(path) }
            #expect(try FileContents.read(path, bytesMax: 0) == [])
        }

        @Test func `a file that is not there is nil`() throws {
            let path = temporaryPath("absent")
            #expect(try FileContents.read(path, bytesMax: 10) == nil)
            write([1], to: path)
            defer { unsafe unlink(path) }
            #expect(try FileContents.read(path + "/below", bytesMax: 10) == nil)
        }

        @Test func `a directory, a pipe and a path with a zero byte are refused at once`() throws {
            let pipe = temporaryPath("pipe")
            #expect(unsafe mkfifo(pipe, 0o600) == 0)
            defer { unsafe unlink(pipe) }
            for path in ["/tmp", pipe, "/etc/hosts\0.txt"] {
                #expect(throws: UVError.invalidArgument) { try FileContents.read(path, bytesMax: 1 << 20) }
            }
        }

        @Test func `a variable of the environment has its value, or none`() {
            // None is set here: other tests read the environment at the same time.
            let path = unsafe String(cString: getenv("PATH"))
            #expect(EnvironmentVariable.value(of: "PATH") == path)
            #expect(EnvironmentVariable.value(of: "UV_TESTS_NO_SUCH_VARIABLE") == nil)
        }

        private func write(_ bytes: [UInt8], to path: String) {
            let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
            defer { close(file) }
            #expect(unsafe Glibc.write(file, bytes, bytes.count) == bytes.count)
        }
    }
}

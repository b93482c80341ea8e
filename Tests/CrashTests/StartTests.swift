import Testing

/// What a `penstockd` that can't start tells whoever started it.
extension CrashTests {
    @Test func `a server that can't start says why, and exits with a status of its own for each reason`()
        async throws
    {
        try await Threads.run {
            let directory = try CrashDirectory()
            let server = try ServerProcess(directory)
            defer { server.kill() }
            #expect(try status(directory) == 75, "another server has the directory")

            let other = try CrashDirectory()
            #expect(try status(other, "--host", "0.0.0.0") == 78, "an address that others reach")
            #expect(try status(other, "--no-tcp") == 78, "no address")
            #expect(try status(other, "--port", "\(server.port)") == 69, "a port that is taken")
            #expect(try status(other, "--port", "99999") == 64, "no port")
            #expect(try status(other, "--effect-steps", "0") == 64, "no bound of an effect")
            #expect(try status(other, "--no-such-option") == 64, "an option that does not exist")
        }
    }

    private func status(_ directory: CrashDirectory, _ options: String...) throws -> Int32? {
        do {
            try ServerProcess(directory, options: options).kill()
            return nil
        } catch CrashError.ended(.code(let code), let log) {
            #expect(!log.isEmpty)
            return code
        }
    }
}

internal import ArgumentParser
internal import BenchSupport

/// The other process of the echo floor: not for people.
struct EchoServe: ParsableCommand {
    static let name = "echo-serve"
    static let configuration = CommandConfiguration(commandName: name, shouldDisplay: false)

    func run() throws {
        try EchoFloor.serve()
    }
}

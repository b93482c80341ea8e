import Foundation
import Synchronization

/// The one thread that starts processes, and never ends.
///
/// Linux ends a child whose `pdeathsig` is set when the *thread* that started it ends; a thread that lives as long
/// as the tests do makes that "when the tests end", however they end.
final class Spawner: Sendable {
    static let shared = Spawner()

    private struct Request {
        var arguments: [String]
        var log: String
        var answer: DispatchSemaphore
    }

    private let requests = Mutex<[Request]>([])
    private let answers = Mutex<[ObjectIdentifier: pid_t]>([:])
    private let wake = DispatchSemaphore(value: 0)

    private init() {
        Thread.detachNewThread { [self] in
            while true {
                wake.wait()
                guard let request = requests.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { continue }
                let pid = Spawner.spawn(request.arguments, log: request.log)
                answers.withLock { $0[ObjectIdentifier(request.answer)] = pid }
                request.answer.signal()
            }
        }
    }

    /// Starts the program; its output goes to the end of `log`. Nil where the system refuses.
    func start(_ arguments: [String], log: String) -> pid_t? {
        let answer = DispatchSemaphore(value: 0)
        requests.withLock { $0.append(Request(arguments: arguments, log: log, answer: answer)) }
        wake.signal()
        answer.wait()
        return answers.withLock { $0.removeValue(forKey: ObjectIdentifier(answer)) }.flatMap { $0 > 0 ? $0 : nil }
    }

    private static func spawn(_ arguments: [String], log: String) -> pid_t {
        // Without the crash reporter, whose child would outlive a killed server.
        var environment = ProcessInfo.processInfo.environment
        environment["SWIFT_BACKTRACE"] = "enable=no"
        var pid: pid_t = 0
        var argv = unsafe arguments.map { unsafe strdup($0) } + [nil]
        var envp = unsafe environment.map { unsafe strdup("\($0.key)=\($0.value)") } + [nil]
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // What other tests of this process have open is not the server's, their locks least of all.
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [] {
            if let file = Int32(name), file > 2 { unsafe posix_spawn_file_actions_addclose(&actions, file) }
        }
        // A signal that this thread blocks would never reach the server.
        var attributes = posix_spawnattr_t()
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_init(&attributes)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let code = unsafe posix_spawnp(&pid, arguments[0], &actions, &attributes, &argv, &envp)
        unsafe posix_spawnattr_destroy(&attributes)
        unsafe posix_spawn_file_actions_destroy(&actions)
        unsafe (argv + envp).forEach { unsafe free($0) }
        return code == 0 ? pid : 0
    }
}

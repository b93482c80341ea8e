/// What an acknowledgement promises.
package enum Durability: String, Codable, Sendable {
    /// On the disk, synced.
    case fsync
    /// Written, synced some time later: a power loss takes the last of it.
    case relaxed
    /// In memory.
    case none
}

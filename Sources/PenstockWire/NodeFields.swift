/// One node of an add, as places in the message: nothing is copied.
package struct NodeFields: Sendable {
    /// Index into the message's queues.
    package var queue: UInt16
    package var name: ByteRange
    package var contentType: ContentType
    package var data: ByteRange
    package var dependencyCount: Int
    /// ``DependencyFields`` of ``DependencyFields/byteCount`` bytes each.
    package var dependencies: ByteRange
    /// Empty where none was given: a custom id has at least one byte.
    package var customID: ByteRange
    /// Its key under the held job; empty where none was given.
    package var childKey: ByteRange
    /// ``Headers``, checked; empty where none were given.
    package var headers: ByteRange
    /// ``Deduplication``, checked; empty where none was given.
    package var deduplication: ByteRange
    /// The name of its group; empty where none was given.
    package var group: ByteRange
    package var options: NodeOptions

    /// The options that few jobs have and that are no numbers, by tag: as the database keeps them.
    package var extras: [(tag: UInt16, place: ByteRange)] {
        [(OptionTag.headers, headers), (OptionTag.deduplication, deduplication), (OptionTag.group, group)]
    }
    /// True where the job has any option that few have.
    package var hasExtras: Bool {
        !headers.isEmpty || !deduplication.isEmpty || !group.isEmpty || options.hasRare
    }

    /// Of a job that is in no message: it is stored, and takes part in an add.
    package static let none = NodeFields(
        queue: 0,
        name: .empty,
        contentType: .none,
        data: .empty,
        dependencyCount: 0,
        dependencies: .empty,
        customID: .empty,
        childKey: .empty,
        headers: .empty,
        deduplication: .empty,
        group: .empty,
        options: .default
    )
}

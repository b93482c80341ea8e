/// What an item of an add is.
package enum ItemKind: UInt8, Sendable, CaseIterable {
    /// One node that belongs to no flow.
    case job = 0
    case flow = 1
    /// More nodes of the last item of the part before, in a large add.
    case more = 2
}

/// The numbers of an item's options.
package enum ItemOptionTag {
    package static let child: UInt16 = 1
    package static let metadata: UInt16 = 2
    /// The highest number of this version.
    package static let last = metadata
}

/// One item of an add, as places in the message.
package struct ItemFields: Sendable {
    package struct Metadata: Sendable {
        package var contentType: ContentType
        package var bytes: ByteRange
    }

    package var kind: ItemKind
    package var name: ByteRange
    /// Present where its sinks become dependencies of the held job.
    package var child: ChildFields?
    package var metadata: Metadata?
    package var nodes = 0

    init(kind: ItemKind, name: ByteRange) {
        self.kind = kind
        self.name = name
    }

    package var isFlow: Bool { kind == .flow }
}

/// What the command around an add allows in it.
package struct AddContext: Sendable {
    /// Items can be children of the job that the command's sender holds.
    package var allowsChildren = false
    /// The first item can be more of the last one of the part before.
    package var goesOn = false
    /// It is added at every run: it must not name what is there only once.
    package var isTemplate = false
    /// A job can have a deduplication: it is in no other job's way, and there at once.
    package var allowsDeduplication = false
    package var itemsMax = Limits.itemsPerAddMax
    package var jobsMax = Limits.jobsPerAddMax

    package static let add = AddContext(allowsDeduplication: true)
    /// What is added with a completion.
    package static let completion = AddContext()
    /// What a worker adds to the job that it holds.
    package static let children = AddContext(allowsChildren: true)
    /// The first part of a large add.
    package static let firstPart = AddContext()
    /// Any later part of it.
    package static let laterPart = AddContext(goesOn: true)
    /// What a scheduler adds: one flow, or one job.
    package static let template = AddContext(isTemplate: true, itemsMax: 1)
}

/// The pages of a database that lie behind the end of its file.
///
/// Why: reading there ends the process (SIGBUS), so a file that was cut short must be refused when it is opened. But LMDB
/// itself leaves short files: pages that one transaction takes at the end and frees again are counted, never written (in
/// a random workload, after three commits of four). So a short file is whole if every page that it lacks is free.
///
/// The list of free pages may itself be in the part that is lost, where LMDB could not read it and live. So it is read
/// here, with `pread`, in the format of LMDB 0.9 on a 64-bit little-endian machine:
///
///     meta page:  16 header | 4 magic | 4 version | 8 address | 8 map size | 48 free table | 48 main table | 8 last | 8 id
///     table:      40 … | 8 root page
///     page:       8 number | 2 | 2 flags (1 branch, 2 leaf, 4 overflow) | 2 lower | 2 upper | 2 offset of each node …
///     node:       2 low | 2 high | 2 flags (1: its value is the number of an overflow page) | 2 key size | key | value
///     branch:     low, high and flags are the number of the page below; leaf: low and high are the value's size
///     value:      8 count | 8 number of each free page
struct FileTail: ~Copyable {
    private let file: FileBytes
    private let pageSize: Int
    /// The pages that the file lacks, in whole or in part.
    private let missing: Range<Int>
    private let commitID: Int

    init(_ file: consuming FileBytes, pageSize: Int, pages: Int, commitID: Int) {
        missing = min(file.size / pageSize, pages)..<pages
        self.file = file
        self.pageSize = pageSize
        self.commitID = commitID
    }

    /// True when no page in use is missing.
    var isWhole: Bool {
        if missing.isEmpty { return true }
        for meta in 0..<KeyLimits.metaPages {
            let page = file.read(at: meta * pageSize, count: pageSize)
            guard page.load(at: 144, UInt64.self) == commitID, let root = page.load(at: 80, UInt64.self) else {
                continue
            }
            return countFree(below: root, depth: 0) == missing.count
        }
        return false
    }

    /// The missing pages that the tree at `root` lists; nil when a page of the tree cannot be read.
    private func countFree(below root: Int, depth: Int) -> Int? {
        // No root, an empty list, is -1. LMDB's own limit of depth is 32.
        guard depth < 32, root >= KeyLimits.metaPages, root < missing.lowerBound else { return nil }
        let page = file.read(at: root * pageSize, count: pageSize)
        guard let flags = page.load(at: 10, UInt16.self), let lower = page.load(at: 12, UInt16.self) else { return nil }
        var count = 0
        for slot in stride(from: 16, to: lower, by: 2) {
            guard let node = page.load(at: slot, UInt16.self), let number = page.load(at: node, UInt32.self),
                let nodeFlags = page.load(at: node + 4, UInt16.self), let keySize = page.load(at: node + 6, UInt16.self)
            else { return nil }
            let found: Int?
            switch flags & 3 {
            case 1: found = countFree(below: number | nodeFlags << 32, depth: depth + 1)
            case 2 where nodeFlags & 1 == 0: found = countFree(in: page, at: node + 8 + keySize)
            case 2:
                guard let overflow = page.load(at: node + 8 + keySize, UInt64.self), overflow > 0,
                    overflow < missing.lowerBound
                else { return nil }
                found = countFree(in: file.read(at: overflow * pageSize, count: 16 + number), at: 16)
            default: found = nil
            }
            guard let found else { return nil }
            count += found
        }
        return count
    }

    /// The missing pages that one value lists; nil when it is not whole.
    private func countFree(in bytes: FileBytes.Piece, at start: Int) -> Int? {
        guard let length = bytes.load(at: start, UInt64.self), length >= 0, length < bytes.bytes.count else {
            return nil
        }
        var count = 0
        for index in 0..<length {
            guard let page = bytes.load(at: start + 8 + index * 8, UInt64.self) else { return nil }
            if missing.contains(page) { count += 1 }
        }
        return count
    }
}

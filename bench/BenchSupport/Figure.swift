/// Figures as a table shows them.
package enum Figure {
    /// A whole number with its thousands apart: `312,400`.
    package static func count(_ value: Double) -> String {
        let digits = String(Int(value.rounded()))
        let sign = digits.hasPrefix("-") ? "-" : ""
        var groups: [Substring] = []
        var rest = digits.dropFirst(sign.count)
        while rest.count > 3 {
            groups.insert(rest.suffix(3), at: 0)
            rest = rest.dropLast(3)
        }
        groups.insert(rest, at: 0)
        return sign + groups.joined(separator: ",")
    }

    /// With `places` digits behind the point: `0.63`.
    package static func decimal(_ value: Double, places: Int) -> String {
        var scale = 1
        for _ in 0..<places { scale *= 10 }
        let scaled = Int((value.magnitude * Double(scale)).rounded())
        let sign = value < 0 && scaled != 0 ? "-" : ""
        guard places > 0 else { return sign + String(scaled) }
        let fraction = String(scaled % scale)
        return sign + "\(scaled / scale)." + String(repeating: "0", count: places - fraction.count) + fraction
    }
}

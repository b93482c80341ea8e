/// A client's text for a message: quoted, what is not printable ASCII escaped, cut to a bounded length.
func quoted(_ text: some StringProtocol) -> String {
    var result = "\""
    for scalar in text.unicodeScalars.prefix(64) {
        let isPlain = (" "..."~").contains(scalar) && scalar != "\"" && scalar != "\\"
        result += isPlain ? String(scalar) : scalar.escaped(asASCII: true)
    }
    return result + (text.unicodeScalars.count > 64 ? "…\"" : "\"")
}

/// The expressions that have a name.
enum CronMacro: String, CaseIterable {
    case yearly, annually, monthly, weekly, daily, midnight, hourly

    var expression: String {
        switch self {
        case .yearly, .annually: "0 0 1 1 *"
        case .monthly: "0 0 1 * *"
        case .weekly: "0 0 * * 0"
        case .daily, .midnight: "0 0 * * *"
        case .hourly: "0 * * * *"
        }
    }

    static var allNames: String {
        allCases.map { "@" + $0.rawValue }.joined(separator: ", ")
    }
}

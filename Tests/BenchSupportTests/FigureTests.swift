import Testing

@testable import BenchSupport

struct FigureTests {
    @Test(arguments: [
        (0.0, "0"), (999.4, "999"), (999.5, "1,000"), (1_234_567, "1,234,567"), (-12_000, "-12,000"),
    ]) func `thousands stand apart`(value: Double, text: String) {
        #expect(Figure.count(value) == text)
    }

    @Test(arguments: [
        (0.625, 2, "0.63"), (12.04, 1, "12.0"), (0.0049, 3, "0.005"), (-1.5, 1, "-1.5"), (-0.01, 1, "0.0"),
        (7.6, 0, "8"),
    ]) func `digits behind the point`(value: Double, places: Int, text: String) {
        #expect(Figure.decimal(value, places: places) == text)
    }
}

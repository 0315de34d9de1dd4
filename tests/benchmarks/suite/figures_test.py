import unittest

from .figures import Figures, duration, rounded, with_rate


def rounds(*values):
    figures = Figures()
    for number, value in enumerate(values, 1):
        figures.add("s", "a", "p", number, {"per_second": value})
    return figures


class FiguresTest(unittest.TestCase):
    def test_the_median_is_not_moved_by_one_bad_round(self):
        self.assertEqual(rounds(100, 110, 9).median("s", "a", "p", "per_second"), 100)

    def test_what_was_not_measured_has_no_median(self):
        self.assertIsNone(rounds(1).median("s", "b", "p", "per_second"))
        self.assertIsNone(rounds(1).spread("s", "b", "p", "per_second"))
        self.assertIsNone(rounds(1).ratio("s", "a", "b", "p", "per_second"))

    def test_the_spread_is_half_the_range_as_a_share_of_the_median(self):
        self.assertAlmostEqual(rounds(90, 100, 130).spread("s", "a", "p", "per_second"), 0.2)

    def test_a_ratio_is_of_medians(self):
        figures = rounds(100, 120, 110)
        for number, value in enumerate((50, 55, 1000), 1):
            figures.add("s", "b", "p", number, {"per_second": value})
        self.assertEqual(figures.ratio("s", "a", "b", "p", "per_second"), 2)

    def test_what_is_synced_is_told_by_point_where_it_differs(self):
        figures = Figures()
        for point, sync in (("a", "x"), ("b", "y"), ("c", "y")):
            figures.add("s", "two", point, 1, {"sync": sync})
            figures.add("s", "one", point, 1, {"sync": "x"})
        self.assertEqual(figures.sync("s", "one"), "x")
        self.assertEqual(figures.sync("s", "two"), "a: x; b: y")

    def test_a_closed_loop_has_a_throughput_and_an_open_loop_has_none(self):
        self.assertEqual(with_rate({"operations": 10, "seconds": 0.5, "rate": 0})["per_second"], 20)
        self.assertNotIn("per_second", with_rate({"operations": 10, "seconds": 0.5, "rate": 20}))

    def test_numbers_have_three_digits_that_count(self):
        self.assertEqual(
            [rounded(v) for v in (None, 0, 0.1234, 1.234, 12.34, 123.4, 1234.5, 1234567)],
            ["–", "0", "0.12", "1.23", "12.3", "123", "1,230", "1,230,000"],
        )

    def test_durations_choose_their_unit(self):
        self.assertEqual(
            [duration(v) for v in (12.3, 4560, 2_500_000)], ["12.3 µs", "4.56 ms", "2.50 s"]
        )

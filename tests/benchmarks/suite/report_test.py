import unittest

from . import report
from .figures import Figures
from .scenarios import (
    Goal,
    LATENCY,
    Point,
    Scenario,
    Subject,
    Summary,
    THROUGHPUT,
    at_rates,
    in_flight,
)

SCENARIO = Scenario(
    key="s",
    title="A scenario",
    says="What it is.",
    subjects=(Subject("ours", ours=True), Subject("theirs"), Subject("dead")),
    points=in_flight(1, 64) + at_rates(1000),
    tables=(THROUGHPUT, LATENCY),
    reference="ours",
    goals=(Goal("five times", "ours", "64 in flight", 5, ("theirs", "dead")),),
)


def figures(theirs=100):
    f = Figures()
    for number in (1, 2):
        f.add("s", "ours", "64 in flight", number, {"per_second": 1000, "sync": "each commit"})
        f.add("s", "theirs", "64 in flight", number, {"per_second": theirs, "sync": "not at all"})
    f.add("s", "ours", "1,000/s", 1, {"p50_us": 100, "p99_us": 2000, "p999_us": 3000})
    f.add("s", "theirs", "1,000/s", 1, {"p50_us": 50, "p99_us": 60, "p999_us": 70})
    return f


def written(f, absent=None):
    return report.markdown(
        f, [SCENARIO], {"processor": "2"}, {"Redis": "7"}, absent or {}, "", 2, 0.5
    )


AGES = Scenario(
    key="g",
    title="Ages",
    says="",
    subjects=(Subject("ours", ours=True),),
    points=(Point("young", "once"), Point("old", "once")),
    reference="ours",
    tables=(
        Summary("By age", (("per_second", "a second", "number"), ("p50_us", "p50", "time")), True),
    ),
)


def ages():
    f = Figures()
    f.add("g", "ours", "young", 1, {"per_second": 100, "p50_us": 10})
    f.add("g", "ours", "old", 1, {"per_second": 50, "p50_us": 20})
    return f


class SummaryTest(unittest.TestCase):
    def test_a_summary_has_a_row_for_each_point(self):
        text = report.markdown(ages(), [AGES], {}, {}, {}, "", 1, 1)
        self.assertIn("| | a second | p50 |", text)
        self.assertIn("| **ours**, young | 100 | 10.0 µs |", text)
        self.assertIn("| **ours**, old | 50.0 | 20.0 µs |", text)

    def test_growth_is_plotted_as_cost(self):
        ((name, svg),) = report.plots_of(ages(), AGES)
        self.assertEqual(name, "g.svg")
        self.assertIn("time of a command", svg)


class ReportTest(unittest.TestCase):
    def test_a_row_has_median_and_ratio_to_the_reference(self):
        self.assertIn("| theirs | 100 (×10.0) |", written(figures()))

    def test_a_latency_has_three_percentiles_and_more_than_one_is_better_for_us(self):
        text = written(figures())
        self.assertIn("| **ours** | 100 µs / 2.00 ms / 3.00 ms |", text)
        self.assertIn("| theirs | 50.0 µs / 60.0 µs / 70.0 µs (×0.50) |", text)

    def test_points_and_subjects_without_figures_have_no_place(self):
        text = written(figures())
        self.assertNotIn("1 in flight", text.replace("64 in flight", ""))
        self.assertNotIn("| dead", text)

    def test_who_is_left_out_is_named_with_the_reason(self):
        text = written(
            figures(), {("s", "dead"): "it was ended by SIGKILL", ("t", "x"): "elsewhere"}
        )
        self.assertIn("- dead: it was ended by SIGKILL", text)
        self.assertNotIn("elsewhere", text)

    def test_every_row_says_whether_it_syncs(self):
        self.assertIn("| theirs | not at all |", written(figures()))

    def test_a_goal_is_judged_against_each_peer_that_was_measured(self):
        self.assertIn("| five times | yes | theirs ×10.0 |", written(figures()))
        self.assertIn("| five times | **no** | theirs ×4.00 |", written(figures(theirs=250)))

    def test_a_goal_without_its_peers_is_not_judged(self):
        self.assertNotIn("five times", written(Figures()))

    def test_machine_and_versions_are_told(self):
        text = written(figures())
        self.assertIn("| processor | 2 |", text)
        self.assertIn("Redis 7", text)

    def test_each_plot_is_a_file_that_the_text_shows(self):
        names = [name for name, _ in report.plots_of(figures(), SCENARIO)]
        self.assertTrue(names)
        for name in names:
            self.assertIn(f"(results/{name})", written(figures()))

import unittest
from xml.dom import minidom

from . import plot


class PlotTest(unittest.TestCase):
    def test_lines_are_an_svg_with_a_line_a_subject(self):
        svg = plot.lines(
            "T & t", ["1", "64"], {"ours": [10, 1000], "theirs": [5, None]}, "a second"
        )
        document = minidom.parseString(svg)
        self.assertEqual(len(document.getElementsByTagName("polyline")), 2)
        self.assertEqual(len(document.getElementsByTagName("circle")), 3)
        self.assertIn("T &amp; t", svg)

    def test_bars_are_an_svg_with_a_bar_a_subject(self):
        document = minidom.parseString(plot.bars("T", {"a": 1, "b": 20000, "c": None}, "MB"))
        self.assertEqual(len(document.getElementsByTagName("rect")), 1 + 2)

    def test_higher_is_higher_up(self):
        svg = plot.lines("T", ["1", "2"], {"a": [10, 1000]}, "")
        first, last = minidom.parseString(svg).getElementsByTagName("circle")
        self.assertGreater(float(first.getAttribute("cy")), float(last.getAttribute("cy")))

    def test_nothing_measured_is_no_plot(self):
        self.assertIsNone(plot.lines("T", ["1"], {"a": [None]}, ""))
        self.assertIsNone(plot.bars("T", {}, ""))

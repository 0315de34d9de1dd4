import io
import unittest

from .progress import Estimate, Progress, in_words


class ProgressTest(unittest.TestCase):
    def test_the_rest_is_as_slow_as_what_is_done_turned_out_to_be(self):
        e = Estimate([1, 1, 2])
        self.assertEqual(e.remaining_s(), 4)
        e.step_done(3)
        self.assertEqual(e.remaining_s(), 9)

    def test_a_step_that_is_dropped_takes_no_time(self):
        e = Estimate([1, 5, 1])
        e.step_done(1)
        e.step_dropped()
        self.assertEqual((e.steps, e.remaining_s()), (2, 1))

    def test_a_line_says_what_is_measured_and_how_long_it_still_takes(self):
        out, now = io.StringIO(), [0.0]
        progress = Progress([60, 60], out, lambda: now[0])
        progress.begin("first")
        now[0] = 30.0
        progress.end()
        progress.begin("second")
        self.assertEqual(out.getvalue(), "1/2 first; 2 min 00 s left\n2/2 second; 30 s left\n")

    def test_nothing_is_left_in_the_end(self):
        e = Estimate([1])
        e.step_done(7)
        self.assertEqual(in_words(e.remaining_s()), "0 s")

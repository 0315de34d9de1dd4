import os
import unittest

from . import scenarios
from .footprint import Peak, status_of

HERE = os.path.dirname(os.path.realpath(__file__))


class ScenariosTest(unittest.TestCase):
    def test_names_are_unique(self):
        for s in scenarios.ALL:
            for names in ([x.name for x in s.subjects], [p.name for p in s.points]):
                self.assertEqual(len(names), len(set(names)), s.key)
        keys = [s.key for s in scenarios.ALL]
        self.assertEqual(len(keys), len(set(keys)))

    def test_references_and_goals_name_what_is_measured(self):
        for s in scenarios.ALL:
            names = {x.name for x in s.subjects}
            points = {p.name for p in s.points}
            self.assertLessEqual({s.reference, *(other for _, other in s.references)}, names)
            for goal in s.goals:
                self.assertLessEqual({goal.subject, *goal.against}, names)
                self.assertIn(goal.point, points)
            for subject in s.subjects:
                self.assertLessEqual(set(subject.points or ()), points)

    def test_each_scenario_has_something_of_ours_and_a_place_in_the_readme(self):
        with open(os.path.join(HERE, "../README.md"), encoding="utf-8") as file:
            readme = file.read()
        for s in scenarios.ALL:
            self.assertTrue(any(x.ours for x in s.subjects), s.key)
            self.assertIn(f"| `{s.key}` |", readme)

    def test_every_program_has_a_source(self):
        for s in scenarios.ALL:
            for program in {x.program for x in s.subjects if x.program} - {"auth-node"}:
                folder, _, name = program.partition("_")
                path = {"measured": f"measured/{name}.cpp", "peer": f"peers/{name}.cpp"}.get(
                    folder, f"peers/node/{program}"
                )
                self.assertTrue(os.path.exists(os.path.join(HERE, "..", path)), path)


class FootprintTest(unittest.TestCase):
    def test_memory_and_threads_of_a_process_are_read(self):
        own = status_of(os.getpid())
        self.assertGreater(own["resident_mib"], own["anonymous_mib"])
        self.assertGreaterEqual(own["threads"], 1)

    def test_the_peak_is_what_was_held_at_most(self):
        with Peak(os.getpid()) as peak:
            held = bytearray(os.urandom(1) * (64 << 20))
            while peak.anonymous_mib < 64:
                pass
            del held
        self.assertGreaterEqual(peak.resident_mib, peak.anonymous_mib)

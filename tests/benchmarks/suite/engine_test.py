import io
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

from .engine import Engine
from .processes import Failed, Interruption, Processes, wait_until
from .scenarios import LATENCY, THROUGHPUT, Scenario, Subject, at_rates, in_flight

LIMIT_S = 30
FIGURES = '{"operations": %d, "seconds": 1, "rate": %d, "p50_us": 1, "sync": "no"}'


class FakeServer:
    """A process that serves nothing; it dies as soon as `dies` says so."""

    name = "a server"
    arguments = []

    def __init__(self, absent=None):
        self._absent = absent

    def missing(self):
        return self._absent

    def start(self, processes, directory):
        os.makedirs(directory)
        self.process = processes.start(self.name, ["/bin/sleep", "600"], directory + ".log")


class FakeNode:
    def missing(self):
        return "nodejs is not installed"


def scenario(*subjects, points=in_flight(1)):
    return Scenario("s", "t", "", subjects, points, (THROUGHPUT, LATENCY), subjects[0].name)


class EngineTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.programs = os.path.join(self.directory, "bin")
        os.mkdir(self.programs)
        self.said = io.StringIO()

    def program(self, name, script):
        path = os.path.join(self.programs, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + script + "\n")
        os.chmod(path, stat.S_IRWXU)

    def run_suite(self, s, rounds=1, servers=None):
        with Processes() as processes:
            engine = Engine(
                processes,
                servers or {},
                self.directory,
                self.programs,
                FakeNode(),
                1,
                False,
            )
            engine.run((s,), rounds, self.said)
        return engine

    def test_every_subject_is_measured_at_every_point_in_every_round(self):
        self.program("p", f"echo '{FIGURES % (7, 0)}'")
        engine = self.run_suite(
            scenario(Subject("a", "p"), Subject("b", "p"), points=in_flight(1, 64)), rounds=3
        )
        self.assertEqual(len(engine.figures.rows), 2 * 2 * 3)
        self.assertEqual(engine.figures.median("s", "a", "64 in flight", "per_second"), 7)

    def test_subjects_take_turns_in_being_first(self):
        self.program("p", f"echo '{FIGURES % (7, 0)}'")
        engine = self.run_suite(scenario(Subject("a", "p"), Subject("b", "p")), rounds=2)
        self.assertEqual([r["subject"] for r in engine.figures.rows], ["b", "a", "a", "b"])

    def test_who_fails_in_a_later_round_has_no_row(self):
        self.program("good", f"echo '{FIGURES % (7, 0)}'")
        self.program("fickle", f"mkdir {self.directory}/once || exit 1; echo '{FIGURES % (7, 0)}'")
        engine = self.run_suite(scenario(Subject("a", "good"), Subject("b", "fickle")), rounds=3)
        self.assertIn(("s", "b"), engine.failed)
        self.assertEqual([r["subject"] for r in engine.figures.rows], ["a", "a", "a"])

    def test_a_program_that_fails_is_named_with_what_it_said(self):
        self.program("good", f"echo '{FIGURES % (7, 0)}'")
        self.program("bad", "echo disk on fire >&2; exit 3")
        engine = self.run_suite(scenario(Subject("a", "good"), Subject("b", "bad")))
        self.assertEqual(engine.failed, {("s", "b"): "b ended with 3: disk on fire"})
        self.assertEqual([r["subject"] for r in engine.figures.rows], ["a"])
        self.assertIn("b is left out: b ended with 3", self.said.getvalue())

    def test_a_server_that_dies_is_named_and_the_others_go_on(self):
        server = FakeServer()
        self.program("good", f"echo '{FIGURES % (7, 0)}'")
        self.program(
            "client", f"kill -9 $(cat {self.directory}/pid); " "echo connection lost >&2; exit 1"
        )
        start = server.start

        def start_and_tell(processes, directory):
            start(processes, directory)
            with open(os.path.join(self.directory, "pid"), "w", encoding="utf-8") as file:
                file.write(str(server.process.pid))

        server.start = start_and_tell
        engine = self.run_suite(
            scenario(Subject("ours", "good"), Subject("peer", "client", server="x")),
            rounds=2,
            servers={"x": server},
        )
        self.assertIn("a server died while 1 in flight was measured", engine.failed[("s", "peer")])
        self.assertEqual(len(engine.figures.rows), 2)

    def test_what_is_not_installed_is_left_out_by_name(self):
        self.program("p", f"echo '{FIGURES % (7, 0)}'")
        engine = self.run_suite(
            scenario(
                Subject("a", "p"),
                Subject("b", "p", server="x"),
                Subject("c", "x.js"),
                Subject("d", "not-built"),
            ),
            servers={"x": FakeServer("x-server is not installed")},
        )
        self.assertEqual(
            engine.left_out,
            {
                ("s", "b"): "x-server is not installed",
                ("s", "c"): "nodejs is not installed",
                ("s", "d"): "not-built is not built: its client library is not installed",
            },
        )
        self.assertFalse(engine.failed)

    def test_the_line_of_progress_counts_what_will_be_measured(self):
        self.program("p", f"echo '{FIGURES % (7, 0)}'")
        some = Subject("a", "p", points=("64 in flight",))
        absent = Subject("c", "x.js")
        self.run_suite(scenario(Subject("b", "p"), some, absent, points=in_flight(1, 64)))
        self.assertIn("1/3 s: b, 1 in flight", self.said.getvalue())
        self.assertIn("3/3 s: ", self.said.getvalue())

    def test_an_arrival_rate_above_what_a_subject_carries_is_not_offered(self):
        self.program("p", f"echo '{FIGURES % (1200, 0)}'")
        engine = self.run_suite(
            scenario(Subject("a", "p"), points=in_flight(1) + at_rates(900, 1000))
        )
        self.assertEqual([r["point"] for r in engine.figures.rows], ["1 in flight", "900/s"])

    def test_servers_are_stopped_and_data_is_removed(self):
        server = FakeServer()
        self.program("p", f"echo '{FIGURES % (7, 0)}'")
        self.run_suite(scenario(Subject("a", "p", server="x")), servers={"x": server})
        self.assertIsNotNone(server.process.poll())
        self.assertFalse(os.path.exists(os.path.join(self.directory, "data")))


class ProcessesTest(unittest.TestCase):
    def test_what_was_started_ends_with_its_children(self):
        with tempfile.TemporaryDirectory() as directory:
            child = os.path.join(directory, "child")
            with Processes() as processes:
                p = processes.start(
                    "p",
                    ["/bin/sh", "-c", f"sleep 600 & echo $! >{child}; wait"],
                    os.path.join(directory, "log"),
                )
                wait_until(lambda: os.path.exists(child) and os.path.getsize(child), p, LIMIT_S)
            with open(child, encoding="utf-8") as file:
                self.assertTrue(ended(int(file.read())))

    def test_a_program_that_hangs_fails_and_is_ended(self):
        with Processes() as processes, self.assertRaisesRegex(Failed, "p did not end within 0 s"):
            processes.run("p", ["/bin/sleep", "600"], 0.01)

    def test_an_interruption_while_something_starts_comes_when_it_can_be_ended(self):
        interruption = Interruption()
        with self.assertRaises(KeyboardInterrupt):
            with interruption:
                interruption._arrive()
                started = True
        self.assertTrue(started)

    def test_a_server_that_ends_at_once_says_why(self):
        with tempfile.TemporaryDirectory() as directory, Processes() as processes:
            p = processes.start(
                "p", ["/bin/sh", "-c", "echo no room; exit 4"], os.path.join(directory, "log")
            )
            with self.assertRaisesRegex(Failed, "p ended with 4: no room"):
                wait_until(lambda: False, p, LIMIT_S)


class InterruptedTest(unittest.TestCase):
    """The whole of `run`, with one program that hangs."""

    def interrupt(self, number):
        run = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "run")
        with tempfile.TemporaryDirectory() as directory:
            programs, data = os.path.join(directory, "bin"), os.path.join(directory, "data")
            os.mkdir(programs)
            os.mkdir(data)
            pid = os.path.join(directory, "pid")
            program = os.path.join(programs, "measured_request")
            with open(program, "w", encoding="utf-8") as file:
                file.write(f"#!/bin/sh\necho $$ >{pid}\nexec /bin/sleep 600\n")
            os.chmod(program, stat.S_IRWXU)
            with open(os.path.join(directory, "log"), "wb") as log:
                # An empty PATH: no peer is installed.
                suite = subprocess.Popen(
                    [
                        sys.executable,
                        "-B",
                        run,
                        "--only",
                        "request",
                        "--programs",
                        programs,
                        "--data",
                        data,
                        "--output",
                        directory,
                    ],
                    env={"PATH": programs},
                    stdout=log,
                    stderr=log,
                )
            suite.name, suite.log = "run", os.path.join(directory, "log")
            wait_until(lambda: os.path.exists(pid) and os.path.getsize(pid), suite, LIMIT_S)
            suite.send_signal(number)
            self.assertEqual(suite.wait(LIMIT_S), 130)
            with open(pid, encoding="utf-8") as file:
                self.assertTrue(ended(int(file.read())))
            self.assertEqual(os.listdir(data), [])
            self.assertFalse(os.path.exists(os.path.join(directory, "results.md")))

    def test_ctrl_c_stops_what_was_started_and_leaves_nothing(self):
        self.interrupt(signal.SIGINT)

    def test_kill_does_so_too(self):
        self.interrupt(signal.SIGTERM)


def ended(pid):
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except OSError:
            return True
    return False

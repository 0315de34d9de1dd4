"""Runs scenarios: every subject at every point in every round, interleaved."""

import os
import shutil
import subprocess
import sys

from .figures import Figures, with_rate
from .processes import Failed, fresh_directory, measurement
from .progress import Progress

PROGRAM_LIMIT_S = 60  # and three times what it is expected to take
REPLAY_EVENTS = 200_000
QUICK_REPLAY_EVENTS = 20_000
START_ATTEMPTS = 2  # a port that was free may be taken a moment later
# An open loop is offered what a subject carries with some ease; beyond that is only a backlog.
OFFERED_SHARE = 0.8


class Engine:
    """`left_out` and `failed` name subjects with reasons: not installed, and died."""

    def __init__(self, processes, servers, scratch, programs, node, seconds, quick):
        self.figures = Figures()
        self.left_out = {}
        self.failed = {}
        self.processes = processes
        self.scratch = scratch
        self.programs = programs
        self.node = node
        self.seconds = seconds
        self.quick = quick
        self.servers = servers
        self.progress = None

    def missing(self, subject):
        """Why a subject cannot be measured here; None if it can."""
        server = self.servers.get(subject.server or subject.needs)
        if server and server.missing():
            return server.missing()
        if subject.program.endswith(".js"):
            return self.node.missing()
        if subject.program and not os.path.exists(self._binary(subject)):
            return f"{subject.program} is not built: its client library is not installed"
        return None

    def run(self, scenarios, rounds, out=sys.stderr):
        """All of them, each as many rounds as it asks for, or `rounds`."""
        for scenario in scenarios:
            for subject in scenario.subjects:
                reason = self.missing(subject)
                if reason:
                    self.left_out[(scenario.key, subject.name)] = reason
        self.progress = Progress(
            [
                self.seconds * 1.25 + 0.3 + subject.expected_s + point.expected_s
                for scenario in scenarios
                for _ in range(scenario.rounds or rounds)
                for point in self._points(scenario)
                for subject in self._subjects(scenario)
                if measures(subject, point)
            ],
            out,
        )
        for scenario in scenarios:
            self._run(scenario, scenario.rounds or rounds)

    def _points(self, scenario):
        return [p for p in scenario.points if p.quick or not self.quick]

    def _subjects(self, scenario):
        return [s for s in scenario.subjects if (scenario.key, s.name) not in self.left_out]

    def _run(self, scenario, rounds):
        subjects = self._subjects(scenario)
        running = self._start_servers(scenario, subjects)
        try:
            for number in range(1, rounds + 1):
                for at, point in enumerate(self._points(scenario)):
                    # Each round and point begins with another one, so that none is always first.
                    turn = (number + at) % len(subjects) if subjects else 0
                    for subject in subjects[turn:] + subjects[:turn]:
                        if measures(subject, point):
                            self._measure(scenario, subject, point, number, running)
        finally:
            for server in running.values():
                self.processes.stop(server.process)

    def _start_servers(self, scenario, subjects):
        running = {}
        for key in dict.fromkeys(s.server for s in subjects if s.server):
            server = self.servers[key]
            self.progress.say(f"{scenario.key}: starting {server.name}")
            for attempt in range(1, START_ATTEMPTS + 1):
                try:
                    server.start(
                        self.processes,
                        os.path.join(self.scratch, f"{scenario.key}-{key}-{attempt}"),
                    )
                    running[key] = server
                    break
                except Failed as why:
                    reason = str(why)
            else:
                for subject in subjects:
                    if subject.server == key:
                        self._fail(scenario, subject, reason)
        return running

    def _measure(self, scenario, subject, point, number, running):
        if (scenario.key, subject.name) in self.failed or self._is_too_much(
            scenario, subject, point, number
        ):
            self.progress.drop()
            return
        self.progress.begin(f"{scenario.key}: {subject.name}, {point.name}")
        directory = fresh_directory(os.path.join(self.scratch, "data"))
        try:
            if subject.measure:
                measured = subject.measure(self, point, directory, running.get(subject.server))
            else:
                measured = self._run_program(scenario, subject, point, directory, running)
            self.figures.add(scenario.key, subject.name, point.name, number, with_rate(measured))
        except Failed as why:
            server = running.get(subject.server)
            if server and ended_meanwhile(server.process):
                why = Failed(f"{server.name} died while {point.name} was measured; {why}")
            self._fail(scenario, subject, str(why))
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        self.progress.end()

    def _run_program(self, scenario, subject, point, directory, running):
        if subject.program.endswith(".js"):
            argv, env = self.node.command(subject.program), self.node.environment()
        else:
            argv, env = [self._binary(subject)], None
        argv = argv + [
            scenario.key,
            *subject.arguments,
            *point.arguments,
            "--seconds",
            str(self.seconds),
            "--directory",
            directory,
        ]
        if scenario.key == "replay":
            argv += ["--events", str(QUICK_REPLAY_EVENTS if self.quick else REPLAY_EVENTS)]
        if subject.server:
            argv += running[subject.server].arguments
        limit_s = PROGRAM_LIMIT_S + 3 * (point.expected_s + subject.expected_s)
        out = self.processes.run(subject.name, argv, limit_s, env=env)
        measured = measurement(out)
        for name in ("scenario", "subject"):
            measured.pop(name, None)
        return measured

    def _is_too_much(self, scenario, subject, point, number):
        if point.kind != "open":
            return False
        carried = [
            r["per_second"]
            for r in self.figures.rows
            if r["scenario"] == scenario.key
            and r["subject"] == subject.name
            and r["round"] == number
            and r.get("per_second")
        ]
        return not carried or point.rate > OFFERED_SHARE * max(carried)

    def _fail(self, scenario, subject, reason):
        self.failed[(scenario.key, subject.name)] = reason
        self.figures.drop(scenario.key, subject.name)
        self.progress.say(f"{scenario.key}: {subject.name} is left out: {reason}")

    def _binary(self, subject):
        return os.path.join(self.programs, subject.program)


def measures(subject, point):
    return not subject.points or point.name in subject.points


def ended_meanwhile(process):
    """Its client may have noticed a moment before us."""
    try:
        process.wait(1)
        return True
    except subprocess.TimeoutExpired:
        return False

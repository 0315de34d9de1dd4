"""Processes that are started, watched, and in any case ended."""

import json
import os
import shutil
import signal
import subprocess
import time

STOP_LIMIT_S = 10


class Failed(Exception):
    """A program or a server did not do what it was started for; the text says why."""


class Interruption:
    """Ctrl-C and kill, as KeyboardInterrupt; put off while the context is open: a process must be
    known before it can be ended, and ending must not be cut short."""

    def __init__(self):
        self._depth = 0
        self._came = False

    def install(self):
        signal.signal(signal.SIGINT, self._arrive)
        signal.signal(signal.SIGTERM, self._arrive)

    def _arrive(self, *_):
        if self._depth:
            self._came = True
        else:
            raise KeyboardInterrupt

    def __enter__(self):
        self._depth += 1

    def __exit__(self, *_):
        self._depth -= 1
        if self._came and not self._depth:
            self._came = False
            raise KeyboardInterrupt


class Processes:
    """Everything that a run starts. Leaving the context ends what still runs, the last first."""

    def __init__(self, interruption=None):
        self._running = []
        self._put_off = interruption or Interruption()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self._put_off:
            while self._running:
                self.stop(self._running[-1])

    def start(self, name, argv, log, user=None, env=None, cwd=None, stop_signal=signal.SIGTERM):
        """A process group of its own, so that Ctrl-C reaches the suite alone and all of its
        children can be ended together."""
        with open(log, "ab") as out:
            return self._start(
                name, argv, log, user, stop_signal, stdout=out, stderr=out, env=env, cwd=cwd
            )

    def _start(self, name, argv, log, user, stop_signal, **options):
        if user and os.geteuid() == 0:
            options |= {"user": user, "group": user, "extra_groups": []}
        with self._put_off:
            try:
                process = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, start_new_session=True, **options
                )
            except OSError as why:
                raise Failed(f"{name} does not start: {why}") from why
            process.name, process.log, process.stop_signal = name, log, stop_signal
            self._running.append(process)
        return process

    def stop(self, process):
        with self._put_off:
            if process.poll() is None:
                _signal_group(process, process.stop_signal)
                try:
                    process.wait(STOP_LIMIT_S)
                except subprocess.TimeoutExpired:
                    pass
            _signal_group(process, signal.SIGKILL)  # children that outlived it
            process.wait()
            self._running = [p for p in self._running if p is not process]

    def run(self, name, argv, limit_s, env=None, user=None, cwd=None):
        """Runs a program to its end; its standard output."""
        process = self._start(
            name,
            argv,
            None,
            user,
            signal.SIGTERM,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=cwd,
        )
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired as why:
            raise Failed(f"{name} did not end within {limit_s:.0f} s") from why
        finally:
            self.stop(process)
            process.stdout.close()
            process.stderr.close()
        if process.returncode != 0:
            raise Failed(f"{name} {how_it_ended(process.returncode)}: {last_line(err)}")
        return out.decode(errors="replace")


def measurement(output):
    """The one JSON object that a measured program prints."""
    for line in output.splitlines():
        if line.startswith("{"):
            return json.loads(line)
    raise Failed("the program printed no figures")


def how_it_ended(code):
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"


def last_line(text):
    lines = [line for line in text.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "without a word"


def wait_until(ready, process, limit_s):
    """Until `ready()`, or `process` ends, or the time is over."""
    end = time.monotonic() + limit_s
    while not ready():
        if process.poll() is not None:
            with open(process.log, "rb") as log:
                said = last_line(log.read())
            raise Failed(f"{process.name} {how_it_ended(process.returncode)}: {said}")
        if time.monotonic() > end:
            raise Failed(f"{process.name} was not ready within {limit_s} s")
        time.sleep(0.002)


def fresh_directory(path):
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def _signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        pass

"""How large a server is, its program on disk and its process in memory, idle and under load;
and how soon it is there."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import threading
import time

from .processes import Failed, wait_until
from .servers import START_LIMIT_S, free_port

LOAD_S = 1.5
SETTLE_S = 0.5
CLIENTS = 8
CATCH_UP_LIMIT_S = 240
MIB = 1048576


def status_of(pid):
    """Resident memory, what of it is no page of a file, and threads."""
    found = {}
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name in ("VmRSS", "RssAnon", "Threads"):
                found[name] = int(value.split()[0])
    return {
        "resident_mib": found.get("VmRSS", 0) / 1024,
        "anonymous_mib": found.get("RssAnon", 0) / 1024,
        "threads": found.get("Threads", 0),
    }


class Peak:
    """The most memory that a process holds while the context is open."""

    def __init__(self, pid):
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.resident_mib = self.anonymous_mib = 0
        self.threads = 0

    def _watch(self):
        while not self._over.wait(0.02):
            try:
                now = status_of(self._pid)
            except OSError:
                return
            self.resident_mib = max(self.resident_mib, now["resident_mib"])
            self.anonymous_mib = max(self.anonymous_mib, now["anonymous_mib"])
            self.threads = max(self.threads, now["threads"])

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


def stripped_mib(program, directory):
    copy = os.path.join(directory, "stripped")
    shutil.copy(os.path.realpath(program), copy)
    subprocess.run(["strip", copy], check=False, capture_output=True)
    size = os.path.getsize(copy)
    os.remove(copy)
    return size / MIB


def described(ready_ms, idle, peak, program_mib):
    return {
        "program_mib": program_mib,
        "ready_ms": ready_ms,
        "idle_mib": idle["resident_mib"],
        "idle_anonymous_mib": idle["anonymous_mib"],
        "loaded_mib": peak.resident_mib,
        "loaded_anonymous_mib": peak.anonymous_mib,
        "threads": peak.threads,
    }


def idle_of(pid):
    time.sleep(SETTLE_S)
    return status_of(pid)


def _get(port, path, headers=None, method="GET", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.getheader("Set-Cookie"), response.read().decode()
    finally:
        connection.close()


def _is_healthy(port):
    try:
        return _get(port, "/healthz")[0] == 200
    except OSError:
        return False


class AuthNode:
    def __init__(self, engine, directory):
        self._engine = engine
        self._data = os.path.join(directory, "node")
        self.program = os.path.join(engine.programs, "auth-node")
        self.process, self.port = None, 0

    def start(self):
        """Milliseconds until it is healthy."""
        self.port = free_port()
        begun = time.monotonic()
        self.process = self._engine.processes.start(
            "auth-node",
            [self.program, "--data", self._data, "--http", f"127.0.0.1:{self.port}"],
            self._data + ".log",
        )
        wait_until(lambda: _is_healthy(self.port), self.process, START_LIMIT_S)
        return (time.monotonic() - begun) * 1000

    def stop(self):
        self._engine.processes.stop(self.process)

    def fill(self, events):
        self._engine.processes.run(
            "auth journal",
            [
                os.path.join(self._engine.programs, "measured_auth_journal"),
                "footprint",
                "--events",
                str(events),
                "--directory",
                self._data,
            ],
            CATCH_UP_LIMIT_S,
        )
        self.start()
        end = time.monotonic() + CATCH_UP_LIMIT_S
        while self._lag() > 0:
            if time.monotonic() > end:
                raise Failed("auth-node did not catch up with its journal")
            time.sleep(0.1)
        self.stop()

    def _lag(self):
        text = _get(self.port, "/metrics")[2]
        return sum(
            float(line.split()[-1])
            for line in text.splitlines()
            if line.startswith("microlith_projection_lag")
        )

    def sign_in(self):
        account = json.dumps({"email": "somebody@example.org", "password": "correct horse battery"})
        for path in ("/api/register", "/api/login"):
            status, cookie, body = _get(
                self.port, path, {"Content-Type": "application/json"}, "POST", account
            )
            if status >= 300:
                raise Failed(f"{path} answers {status}: {body}")
        return cookie.split(";")[0]

    def bear(self, cookie):
        end = time.monotonic() + LOAD_S

        def ask():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            while time.monotonic() < end:
                connection.request("GET", "/api/me", headers={"Cookie": cookie})
                connection.getresponse().read()
            connection.close()

        clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()


def auth_node(engine, point, directory, _server):
    node = AuthNode(engine, directory)
    if point.rate:
        node.fill(int(point.rate))
    ready_ms = node.start()
    idle = idle_of(node.process.pid)
    with Peak(node.process.pid) as peak:
        node.bear(node.sign_in())
    node.stop()
    return described(ready_ms, idle, peak, stripped_mib(node.program, directory))


def server(key, program, client):
    """A peer that is a server, under the load of its own client."""

    def measure(engine, _point, directory, _server):
        peer = engine.servers[key]
        begun = time.monotonic()
        peer.start(engine.processes, os.path.join(directory, key))
        ready_ms = (time.monotonic() - begun) * 1000
        try:
            idle = idle_of(peer.process.pid)
            with Peak(peer.process.pid) as peak:
                engine.processes.run(
                    peer.name,
                    [
                        os.path.join(engine.programs, client),
                        "append",
                        "--in-flight",
                        "64",
                        "--seconds",
                        str(LOAD_S),
                        *peer.arguments,
                    ],
                    60,
                )
        finally:
            engine.processes.stop(peer.process)
        return described(ready_ms, idle, peak, stripped_mib(shutil.which(program), directory))

    return measure


def rxmsg(engine, _point, directory, _server):
    log = os.path.join(directory, "rxmsg.log")
    script = engine.node.command("rxmsg.js")
    env = engine.node.environment()
    begun = time.monotonic()
    process = engine.processes.start(
        "rxmsg", script + ["idle"], log, env=env, stop_signal=signal.SIGKILL
    )
    wait_until(lambda: os.path.getsize(log) > 0, process, START_LIMIT_S)
    ready_ms = (time.monotonic() - begun) * 1000
    idle = idle_of(process.pid)
    engine.processes.stop(process)
    process = engine.processes.start(
        "rxmsg", script + ["command", "--in-flight", "64", "--seconds", str(LOAD_S)], log, env=env
    )
    with Peak(process.pid) as peak:
        process.wait(60)
    engine.processes.stop(process)
    return described(ready_ms, idle, peak, stripped_mib(shutil.which("node"), directory))

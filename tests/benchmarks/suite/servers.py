"""The peers that are servers: started on loopback, on ports that are free, with data in a directory
of ours, and settings that somebody who knows them would call fair."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

from .processes import Failed, wait_until

START_LIMIT_S = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


class Server:
    """One peer. `missing()` names what is not installed; `start` returns when it serves; then
    `arguments` are for its client and `process` is its first process."""

    name = ""
    user = None

    def missing(self):
        return None

    def start(self, processes, directory):
        raise NotImplementedError

    def version(self):
        return ""

    def _own(self, directory):
        os.makedirs(directory, exist_ok=True)
        if self.user and os.geteuid() == 0:
            account = pwd.getpwnam(self.user)
            os.chown(directory, account.pw_uid, account.pw_gid)

    def _serve(self, processes, argv, directory, port, **options):
        log = os.path.join(os.path.dirname(directory), f"{os.path.basename(directory)}.log")
        self.process = processes.start(self.name, argv, log, user=self.user, **options)
        wait_until(lambda: accepts(port), self.process, START_LIMIT_S)
        self.port = port
        self.arguments = ["--port", str(port)]


def _program(name):
    return None if shutil.which(name) else f"{name} is not installed"


def _says(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


class Nats(Server):
    name = "NATS"

    def missing(self):
        return _program("nats-server")

    def version(self):
        return _says("nats-server", "--version").split(":")[-1].strip()

    def start(self, processes, directory):
        self._own(directory)
        port = free_port()
        self._serve(
            processes,
            ["nats-server", "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", directory],
            directory,
            port,
        )


class Redis(Server):
    name = "Redis"

    def missing(self):
        return _program("redis-server")

    def version(self):
        return next(
            (
                word[2:]
                for word in _says("redis-server", "--version").split()
                if word.startswith("v=")
            ),
            "",
        )

    def start(self, processes, directory):
        self._own(directory)
        port = free_port()
        self._serve(
            processes,
            [
                "redis-server",
                "--bind",
                "127.0.0.1",
                "--port",
                str(port),
                "--dir",
                directory,
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
                # no snapshot in the background, no rewriting while measured
                "--save",
                "",
                "--auto-aof-rewrite-percentage",
                "0",
            ],
            directory,
            port,
        )


class RabbitMQ(Server):
    name = "RabbitMQ"
    user = "rabbitmq"
    _server = "/usr/lib/rabbitmq/bin/rabbitmq-server"

    def missing(self):
        return None if os.path.exists(self._server) else "rabbitmq-server is not installed"

    def version(self):
        return _says("dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server").split("-")[0]

    def start(self, processes, directory):
        self._own(directory)
        log = directory + ".log"
        port, names_port = free_port(), free_port()
        env = dict(
            os.environ,
            HOME=directory,
            ERL_EPMD_PORT=str(names_port),
            ERL_EPMD_ADDRESS="127.0.0.1",
            RABBITMQ_NODENAME="benchmark@localhost",
            RABBITMQ_NODE_IP_ADDRESS="127.0.0.1",
            RABBITMQ_NODE_PORT=str(port),
            RABBITMQ_DIST_PORT=str(free_port()),
            RABBITMQ_MNESIA_BASE=directory,
            RABBITMQ_LOG_BASE=directory,
            RABBITMQ_LOGS="-",
            RABBITMQ_PID_FILE=os.path.join(directory, "pid"),
            RABBITMQ_ENABLED_PLUGINS_FILE=os.path.join(directory, "plugins"),
            RABBITMQ_CONFIG_FILE=os.path.join(directory, "none"),
        )
        # Erlang's name server would outlive the node if the node started it.
        names = processes.start(
            "epmd",
            ["epmd", "-port", str(names_port), "-address", "127.0.0.1"],
            log,
            user=self.user,
            env=env,
            cwd=directory,
        )
        wait_until(lambda: accepts(names_port), names, START_LIMIT_S)
        self._serve(processes, [self._server], directory, port, env=env, cwd=directory)


class PostgreSQL(Server):
    name = "PostgreSQL"
    user = "postgres"

    def __init__(self):
        places = [_says("pg_config", "--bindir") if shutil.which("pg_config") else ""]
        places += sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
        self._bin = next(
            (p for p in places if p and os.path.exists(os.path.join(p, "initdb"))), None
        )

    def missing(self):
        return None if self._bin else "postgresql is not installed"

    def version(self):
        return _says(os.path.join(self._bin, "postgres"), "--version").split()[2]

    def start(self, processes, directory):
        self._own(directory)
        data = os.path.join(directory, "data")
        processes.run(
            "initdb",
            [
                os.path.join(self._bin, "initdb"),
                "-D",
                data,
                "-U",
                "bench",
                "--auth=trust",
                "--locale=C",
                "--encoding=UTF8",
            ],
            START_LIMIT_S,
            user=self.user,
            cwd=directory,
        )
        port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": directory,
            "fsync": "on",
            "synchronous_commit": "on",
            "shared_buffers": "512MB",
            "max_wal_size": "4GB",
            "checkpoint_timeout": "30min",
            "max_connections": "40",
        }
        argv = [os.path.join(self._bin, "postgres"), "-D", data, "-p", str(port)]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        # SIGINT is its fast shutdown: it waits for nobody.
        self._serve(processes, argv, directory, port, cwd=directory, stop_signal=signal.SIGINT)
        # A socket file is what a local client would use.
        self.arguments = [
            "--connection",
            f"host={directory} port={port} user=bench dbname=postgres",
        ]
        end = time.monotonic() + START_LIMIT_S
        while (
            subprocess.run(
                [os.path.join(self._bin, "pg_isready"), "-q", "-h", directory, "-p", str(port)],
                check=False,
            ).returncode
            != 0
        ):
            if time.monotonic() > end:
                raise Failed("PostgreSQL takes no connections")
            time.sleep(0.05)


def all_servers():
    return {"nats": Nats(), "redis": Redis(), "rabbitmq": RabbitMQ(), "postgresql": PostgreSQL()}

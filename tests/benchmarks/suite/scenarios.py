"""What is measured: scenarios, their subjects and points, as plain data."""

from dataclasses import dataclass
from typing import Callable, Optional

from . import compile_time, footprint


@dataclass(frozen=True)
class Point:
    """One setting of a scenario. A closed loop keeps so many on their way and shows throughput; an
    open loop offers a fixed rate and shows latency; `once` is neither."""

    name: str
    kind: str  # closed, open, once
    arguments: tuple = ()
    rate: float = 0
    quick: bool = True  # part of a quick run
    expected_s: float = 0  # beside what its subjects expect


@dataclass(frozen=True)
class Subject:
    """Who is measured: a program (in the build's bin/, or a script for Node.js), with a server or
    without; or a function of ours that measures."""

    name: str
    program: str = ""
    arguments: tuple = ()
    server: Optional[str] = None  # started for the scenario
    needs: Optional[str] = None  # a server that `measure` starts itself
    ours: bool = False
    measure: Optional[Callable] = None
    points: Optional[tuple] = None  # names; None: all
    expected_s: float = 0  # beside the time measured


@dataclass(frozen=True)
class Table:
    """How a figure is shown. `metrics` in one cell; the ratio is of the first."""

    title: str
    kind: str
    metrics: tuple
    unit: str  # rate, time, or a word
    higher_is_better: bool


@dataclass(frozen=True)
class Summary:
    """A row for each subject and point, a column for each figure: (metric, header, unit).
    `growing`: plotted by point, as multiples of the first."""

    title: str
    columns: tuple
    growing: bool = False
    kind: str = "once"


@dataclass(frozen=True)
class Scenario:
    key: str
    title: str
    says: str
    subjects: tuple
    points: tuple
    tables: tuple
    reference: str  # the subject that ratios are of
    references: tuple = ()  # (end of a name, another reference for these)
    rounds: Optional[int] = None  # None: as many as asked for
    goals: tuple = ()

    def reference_for(self, subject):
        return next(
            (other for end, other in self.references if subject.endswith(end)), self.reference
        )


@dataclass(frozen=True)
class Goal:
    """The reference, or another subject of ours, at a point against others there: at least `factor`
    times as much."""

    text: str
    subject: str
    point: str
    factor: float
    against: tuple
    metric: str = "per_second"


def in_flight(*numbers):
    return tuple(Point(f"{n:,} in flight", "closed", ("--in-flight", str(n))) for n in numbers)


def at_rates(*numbers):
    return tuple(Point(f"{n:,}/s", "open", ("--rate", str(n)), rate=n) for n in numbers)


THROUGHPUT = Table("Operations a second", "closed", ("per_second",), "rate", True)
LATENCY = Table(
    "Latency at a fixed arrival rate: p50 / p99 / p99.9",
    "open",
    ("p50_us", "p99_us", "p999_us"),
    "time",
    False,
)

REQUEST = Scenario(
    key="request",
    title="Request and correlated reply in one process",
    says="A question of eight bytes and its answer. NATS is a server of its own, reached over "
    "loopback, with both ends in one client process.",
    subjects=(
        Subject("ask", "measured_request", ("--subject", "ask"), ours=True),
        Subject("bare CAF", "measured_request", ("--subject", "caf")),
        Subject("rxmsg", "rxmsg.js"),
        Subject("NATS", "peer_nats", server="nats"),
    ),
    points=in_flight(1, 64, 1024) + at_rates(1_000, 10_000, 100_000),
    tables=(THROUGHPUT, LATENCY),
    reference="ask",
)

HANDLER = "Microlith, function handler"
DECIDER = "Microlith, decider"
PG_1 = "PostgreSQL, 1 connection"
PG_16 = "PostgreSQL, 16 connections"
PG_16_BATCHED = "PostgreSQL, 16 connections, batched"
SQLITE = "SQLite"
SQLITE_BATCHED = "SQLite, batched"
EMMETT_SQLITE = "emmett, SQLite"
EMMETT_MEMORY = "emmett, in memory"

COMMAND = Scenario(
    key="command",
    title="Command to durable event to reply",
    says="A registration of 130 bytes. A decider loads its stream, decides, and appends with the "
    "expected version; a function handler checks nothing. The bare pipeline is the same "
    "hops in CAF and LMDB with nothing checked, indexed or kept. PostgreSQL and SQLite "
    "insert a row with a unique stream and version, with a prepared statement, PostgreSQL "
    "in pipeline mode; *batched* puts independent commands into one transaction, which fail "
    "or succeed together then: the application's own group commit. SQLite runs in the "
    "measuring process, with no bus and nobody else who waits.",
    subjects=(
        Subject(DECIDER, "measured_command", ("--subject", "decider"), ours=True),
        Subject(HANDLER, "measured_command", ("--subject", "handler"), ours=True),
        Subject("bare CAF and LMDB", "measured_command", ("--subject", "bare")),
        Subject(PG_1, "peer_postgresql", ("--connections", "1"), server="postgresql"),
        Subject(PG_16, "peer_postgresql", ("--connections", "16"), server="postgresql"),
        Subject(
            PG_16_BATCHED,
            "peer_postgresql",
            ("--connections", "16", "--batched", "yes"),
            server="postgresql",
        ),
        Subject(SQLITE, "peer_sqlite"),
        Subject(SQLITE_BATCHED, "peer_sqlite", ("--batched", "yes")),
        Subject(EMMETT_SQLITE, "emmett.js", ("--store", "sqlite")),
        Subject(EMMETT_MEMORY, "emmett.js", ("--store", "memory")),
        Subject("rxmsg", "rxmsg.js"),
    ),
    points=in_flight(1, 64, 1024, 8192) + at_rates(1_000, 10_000, 50_000),
    tables=(THROUGHPUT, LATENCY),
    reference=DECIDER,
    goals=tuple(
        Goal(f"{who}: {text}, 1,024 in flight", who, "1,024 in flight", factor, against)
        for who in (DECIDER, HANDLER)
        for factor, text, against in (
            (5, "5 times each durable peer", (PG_1, PG_16, SQLITE, EMMETT_SQLITE)),
            (
                5,
                "5 times each durable peer whose commands share transactions",
                (PG_16_BATCHED, SQLITE_BATCHED),
            ),
            (15, "15 times each non-durable peer", (EMMETT_MEMORY, "rxmsg")),
        )
    )
    + (
        Goal(
            "function handler: 0.77 of the bare pipeline, 1 in flight (1.3 times its latency)",
            HANDLER,
            "1 in flight",
            0.77,
            ("bare CAF and LMDB",),
        ),
        Goal(
            "function handler: half of the bare pipeline, 1,024 in flight",
            HANDLER,
            "1,024 in flight",
            0.5,
            ("bare CAF and LMDB",),
        ),
        Goal(
            "function handler: half of the bare pipeline, 8,192 in flight",
            HANDLER,
            "8,192 in flight",
            0.5,
            ("bare CAF and LMDB",),
        ),
    ),
)

APPEND = Scenario(
    key="append",
    title="Durable append of 200-byte events with acknowledgement",
    says="One event an append. The journal and raw LMDB are libraries in the measuring process; "
    "whatever is due when a commit begins is in it. The others are reached over loopback on "
    "one connection, pipelined.",
    subjects=(
        Subject("journal", "measured_append", ("--subject", "journal"), ours=True),
        Subject("event bus", "measured_append", ("--subject", "event_bus"), ours=True),
        Subject("raw LMDB", "measured_append", ("--subject", "lmdb")),
        Subject("Redis Streams", "peer_redis", server="redis"),
        Subject("NATS JetStream", "peer_nats", server="nats"),
        Subject("RabbitMQ", "peer_rabbitmq", server="rabbitmq"),
    ),
    points=in_flight(1, 64, 1024, 8192) + at_rates(1_000, 10_000, 50_000),
    tables=(THROUGHPUT, LATENCY),
    reference="journal",
)

REPLAY = Scenario(
    key="replay",
    title="Replay and projection",
    says="Events of 200 bytes, read in order and folded by item, of which there are 10,000: into "
    "a map in memory, or into rows that are durable. Raw LMDB is scanned, nothing decoded "
    "or folded. Redis is read by XRANGE in pages of 1,000 and keeps rows with HINCRBY, "
    "pipelined; PostgreSQL is read by a cursor in pages of 10,000, and each page's rows are "
    "one statement and one commit.",
    subjects=(
        Subject("journal", "measured_replay", ours=True, expected_s=1),
        Subject("raw LMDB", "measured_replay", ("--subject", "lmdb"), points=("into memory",)),
        Subject("Redis Streams", "peer_redis", server="redis", expected_s=3),
        Subject("PostgreSQL", "peer_postgresql", server="postgresql", expected_s=3),
    ),
    points=(
        Point("into memory", "once", ("--into", "memory")),
        Point("into rows", "once", ("--into", "rows")),
    ),
    tables=(Table("Events a second", "once", ("per_second",), "rate", True),),
    reference="journal",
)

NODES = Scenario(
    key="nodes",
    title="Two nodes",
    says="Two processes over loopback: a question and its answer, and events of 200 bytes from "
    "one process to a subscriber in the other, or to four. Ours are two nodes of a cluster; an "
    "event is durable in the journal before it is sent, the others store nothing. With bare CAF "
    "whoever sends knows the subscribers and sends to each. NATS and RabbitMQ have their server "
    "in between.",
    subjects=tuple(
        Subject(
            f"{name}, {what}",
            program,
            (*arguments, "--what", key, "--subscribers", subscribers),
            server=server,
            ours=not peer,
            expected_s=0.3,
        )
        for key, what, subscribers in (
            ("ask", "ask", "1"),
            ("fan_out", "events", "1"),
            ("fan_out", "events to four", "4"),
        )
        for name, program, arguments, server, peer in (
            ("Microlith", "measured_nodes", ("--subject", "microlith"), None, False),
            ("bare CAF", "measured_nodes", ("--subject", "caf"), None, True),
            ("NATS", "peer_nats", (), "nats", True),
            ("RabbitMQ", "peer_rabbitmq", (), "rabbitmq", True),
        )
    ),
    points=in_flight(1, 64, 1024, 8192) + at_rates(1_000, 10_000, 50_000),
    tables=(THROUGHPUT, LATENCY),
    reference="Microlith, ask",
    references=(
        ("events to four", "Microlith, events to four"),
        ("events", "Microlith, events"),
    ),
    goals=(
        Goal(
            "a question to another node: 0.71 of CAF's, 1 in flight (1.4 times its latency)",
            "Microlith, ask",
            "1 in flight",
            0.71,
            ("bare CAF, ask",),
        ),
        Goal(
            "events to another node, durable first: 3 times CAF's messages, 8,192 in flight",
            "Microlith, events",
            "8,192 in flight",
            3,
            ("bare CAF, events",),
        ),
    ),
)

FOOTPRINT = Scenario(
    key="footprint",
    title="Footprint",
    says="The sample node serves `GET /api/me` to eight signed-in clients; before that it hashes "
    "a password twice, with 64 MiB each time. NATS and Redis take durable appends, 64 in "
    "flight, rxmsg commands. Size: of the stripped program; for rxmsg, of Node.js alone. "
    "Anonymous: without pages of files, which the system takes back when it needs them. "
    "Ready: from exec to `/healthz`, or to the first connection. With ten million events: "
    "the second start, when rows have been derived.",
    subjects=(
        Subject("auth-node", "auth-node", ours=True, measure=footprint.auth_node, expected_s=4),
        Subject(
            "NATS",
            "peer_nats",
            needs="nats",
            expected_s=3,
            points=("empty",),
            measure=footprint.server("nats", "nats-server", "peer_nats"),
        ),
        Subject(
            "Redis",
            "peer_redis",
            needs="redis",
            expected_s=3,
            points=("empty",),
            measure=footprint.server("redis", "redis-server", "peer_redis"),
        ),
        Subject("rxmsg", "rxmsg.js", measure=footprint.rxmsg, expected_s=4, points=("empty",)),
    ),
    points=(
        Point("empty", "once"),
        Point("10,000,000 events", "once", rate=10_000_000, quick=False, expected_s=120),
    ),
    tables=(
        Summary(
            "At rest and under load",
            (
                ("program_mib", "program, MiB", "number"),
                ("ready_ms", "ready, ms", "number"),
                ("idle_mib", "idle, MiB", "number"),
                ("idle_anonymous_mib", "of it anonymous", "number"),
                ("loaded_mib", "under load, MiB", "number"),
                ("loaded_anonymous_mib", "of it anonymous", "number"),
                ("threads", "threads", "count"),
            ),
        ),
    ),
    reference="auth-node",
    rounds=1,
)

GROWTH = Scenario(
    key="growth",
    title="Growth",
    says="A journal that has grown to so many registrations, one of ten in a new stream: "
    "commands through a decider, 1,024 in flight; loading streams of 100 events that lie "
    "evenly over the whole journal; anonymous memory of the open journal, and the time to "
    "open it.",
    subjects=(Subject("Microlith", "measured_growth", ours=True),),
    points=tuple(
        Point(
            f"10^{n} events",
            "once",
            ("--events", str(10**n)),
            quick=n < 6,
            expected_s=10**n / 200_000,
        )
        for n in (4, 5, 6, 7)
    ),
    tables=(
        Summary(
            "By age",
            (
                ("per_second", "commands a second", "number"),
                ("load_p50_us", "load of 100 events, p50", "time"),
                ("load_p99_us", "p99", "time"),
                ("memory_mb", "memory, MB", "number"),
                ("open_ms", "open, ms", "number"),
            ),
            growing=True,
        ),
    ),
    reference="Microlith",
    rounds=1,
)

COMPILE = Scenario(
    key="compile",
    title="Compile time",
    says="A user's program with one message, one handler and `main`, beside a file that includes "
    "`<caf/all.hpp>` and nothing else. GCC, no cache.",
    subjects=(
        Subject(
            "one message, one handler, main",
            ours=True,
            measure=compile_time.of(compile_time.PROGRAM),
            expected_s=4,
        ),
        Subject(
            "caf/all.hpp alone", measure=compile_time.of(compile_time.INCLUDE_CAF), expected_s=3
        ),
    ),
    points=(Point("-O0", "once", ("-O0",)), Point("-O2", "once", ("-O2",))),
    tables=(Table("Seconds", "once", ("compile_s",), "s", False),),
    reference="one message, one handler, main",
)

ALL = (REQUEST, COMMAND, APPEND, REPLAY, NODES, FOOTPRINT, GROWTH, COMPILE)

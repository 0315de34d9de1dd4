"""What is measured: scenarios, their subjects and points, as plain data."""

from dataclasses import dataclass, field
from typing import Callable, Optional


@dataclass(frozen=True)
class Point:
    """One setting of a scenario. A closed loop keeps so many on their way and shows throughput; an
    open loop offers a fixed rate and shows latency; `once` is neither."""

    name: str
    kind: str  # closed, open, once
    arguments: tuple = ()
    rate: float = 0
    quick: bool = True  # part of a quick run


@dataclass(frozen=True)
class Subject:
    """Who is measured: a program (in the build's bin/, or a script for Node.js), with a server or
    without; or a function of ours that measures."""

    name: str
    program: str = ""
    arguments: tuple = ()
    server: Optional[str] = None
    ours: bool = False
    durable: bool = False
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
class Scenario:
    key: str
    title: str
    says: str
    subjects: tuple
    points: tuple
    tables: tuple
    reference: str  # the subject that ratios are of
    rounds: Optional[int] = None  # None: as many as asked for
    goals: tuple = field(default=())


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
LATENCY = Table("Latency at a fixed arrival rate: p50 / p99 / p99.9", "open",
                ("p50_us", "p99_us", "p999_us"), "time", False)

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
         "expected version; a function handler checks nothing. The bare pipeline is the same hops in "
         "CAF and LMDB with nothing checked, indexed or kept. PostgreSQL and SQLite insert a row with a "
         "unique stream and version, with a prepared statement, PostgreSQL in pipeline mode; "
         "*batched* puts independent commands into one transaction, which fail or succeed "
         "together then: the application's own group commit. SQLite runs in the measuring process, with "
         "no bus and nobody else who waits.",
    subjects=(
        Subject(DECIDER, "measured_command", ("--subject", "decider"), ours=True, durable=True),
        Subject(HANDLER, "measured_command", ("--subject", "handler"), ours=True, durable=True),
        Subject("bare CAF and LMDB", "measured_command", ("--subject", "bare")),
        Subject(PG_1, "peer_postgresql", ("--connections", "1"), server="postgresql", durable=True),
        Subject(PG_16, "peer_postgresql", ("--connections", "16"), server="postgresql", durable=True),
        Subject(PG_16_BATCHED, "peer_postgresql", ("--connections", "16", "--batched", "yes"),
                server="postgresql", durable=True),
        Subject(SQLITE, "peer_sqlite", durable=True),
        Subject(SQLITE_BATCHED, "peer_sqlite", ("--batched", "yes"), durable=True),
        Subject(EMMETT_SQLITE, "emmett.js", ("--store", "sqlite"), durable=True),
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
            (5, "5 times each durable peer whose commands share transactions",
             (PG_16_BATCHED, SQLITE_BATCHED)),
            (15, "15 times each non-durable peer", (EMMETT_MEMORY, "rxmsg")))
    ) + (
        Goal("function handler: half of the bare pipeline, 1,024 in flight", HANDLER,
             "1,024 in flight", 0.5, ("bare CAF and LMDB",)),
        Goal("function handler: half of the bare pipeline, 8,192 in flight", HANDLER,
             "8,192 in flight", 0.5, ("bare CAF and LMDB",)),
    ),
)

APPEND = Scenario(
    key="append",
    title="Durable append of 200-byte events with acknowledgement",
    says="One event an append. The journal and raw LMDB are libraries in the measuring process; "
         "whatever is due when a commit begins is in it. The others are reached over loopback on one "
         "connection, pipelined.",
    subjects=(
        Subject("journal", "measured_append", ("--subject", "journal"), ours=True, durable=True),
        Subject("event bus", "measured_append", ("--subject", "event_bus"), ours=True, durable=True),
        Subject("raw LMDB", "measured_append", ("--subject", "lmdb")),
        Subject("Redis Streams", "peer_redis", server="redis", durable=True),
        Subject("NATS JetStream", "peer_nats", server="nats"),
        Subject("RabbitMQ", "peer_rabbitmq", server="rabbitmq", durable=True),
    ),
    points=in_flight(1, 64, 1024, 8192) + at_rates(1_000, 10_000, 50_000),
    tables=(THROUGHPUT, LATENCY),
    reference="journal",
)

ALL = (REQUEST, COMMAND, APPEND)

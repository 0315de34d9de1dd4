"""Figures of several rounds, and what is said of them: medians, spread, ratios."""

import statistics


class Figures:
    """Every measurement, as a list of plain dictionaries: scenario, subject, point, round, and what
    was measured."""

    def __init__(self, rows=None):
        self.rows = list(rows or [])

    def add(self, scenario, subject, point, round_number, measured):
        self.rows.append(
            {
                "scenario": scenario,
                "subject": subject,
                "point": point,
                "round": round_number,
                **measured,
            }
        )

    def drop(self, scenario, subject):
        """Half of the rounds of a subject that failed would say something else than the others."""
        self.rows = [r for r in self.rows if (r["scenario"], r["subject"]) != (scenario, subject)]

    def values(self, scenario, subject, point, metric):
        return [
            r[metric]
            for r in self.rows
            if r["scenario"] == scenario
            and r["subject"] == subject
            and r["point"] == point
            and r.get(metric) is not None
        ]

    def median(self, scenario, subject, point, metric):
        values = self.values(scenario, subject, point, metric)
        return statistics.median(values) if values else None

    def spread(self, scenario, subject, point, metric):
        """Half the distance between the highest and the lowest round, as a share of the median."""
        values = self.values(scenario, subject, point, metric)
        middle = statistics.median(values) if values else 0
        return (max(values) - min(values)) / 2 / middle if middle else None

    def ratio(self, scenario, ours, theirs, point, metric):
        """Ours by theirs, of the medians."""
        a = self.median(scenario, ours, point, metric)
        b = self.median(scenario, theirs, point, metric)
        return a / b if a is not None and b else None

    def sync(self, scenario, subject):
        """What the subject's rows say of it; by point where they differ."""
        said = {}
        for r in self.rows:
            if r["scenario"] == scenario and r["subject"] == subject and r.get("sync"):
                said.setdefault(r["sync"], r["point"])
        if len(said) < 2:
            return next(iter(said), "")
        return "; ".join(f"{point}: {sync}" for sync, point in said.items())


def with_rate(measured):
    """A closed loop's or a replay's throughput beside what the program printed."""
    if "operations" in measured and measured.get("seconds") and not measured.get("rate"):
        measured = dict(measured, per_second=measured["operations"] / measured["seconds"])
    return measured


def rounded(value):
    """Three digits that count, with thousands apart."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1000:
        step = 10 ** (len(str(int(size))) - 3)
        return f"{int(round(value / step) * step):,}"
    if size >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def duration(us):
    """Microseconds in the unit that reads best."""
    if us is None:
        return "–"
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if us >= size:
            return f"{rounded(us / size)} {unit}"
    return f"{rounded(us)} µs"

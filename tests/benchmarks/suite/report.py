"""results.md and the plots, from figures."""

import re

from . import plot
from .figures import duration, rounded
from .scenarios import Summary


def cell(figures, scenario, subject, point, table):
    values = [figures.median(scenario.key, subject, point, m) for m in table.metrics]
    if values[0] is None:
        return "–"
    show = duration if table.unit == "time" else rounded
    text = " / ".join(show(v) for v in values)
    spread = figures.spread(scenario.key, subject, point, table.metrics[0])
    if len(table.metrics) == 1 and spread:
        text += f" ±{spread * 100:.0f} %"
    return text


def times(figures, scenario, subject, point, table):
    """How many times as good as the subject the reference is."""
    reference = scenario.reference_for(subject)
    ratio = figures.ratio(scenario.key, reference, subject, point, table.metrics[0])
    if ratio is None or subject == reference:
        return ""
    if not table.higher_is_better:
        ratio = 1 / ratio if ratio else 0
    return f" (×{rounded(ratio)})"


def points_of(figures, scenario, table):
    return [
        p
        for p in scenario.points
        if p.kind == table.kind
        and any(
            figures.values(scenario.key, s.name, p.name, table.metrics[0])
            for s in scenario.subjects
        )
    ]


def measured_subjects(figures, scenario, table):
    return [
        s
        for s in scenario.subjects
        if any(
            figures.values(scenario.key, s.name, p.name, table.metrics[0])
            for p in scenario.points
            if p.kind == table.kind
        )
    ]


FORMATS = {
    "time": duration,
    "number": rounded,
    "count": lambda v: "–" if v is None else f"{v:.0f}",
}


def summary_rows(figures, scenario, table):
    """(subject, point, values) of what was measured."""
    rows = []
    for s in scenario.subjects:
        for p in scenario.points:
            values = [
                figures.median(scenario.key, s.name, p.name, metric)
                for metric, _, _ in table.columns
            ]
            if any(v is not None for v in values):
                rows.append((s, p, values))
    return rows


def summary_of(figures, scenario, table):
    rows = summary_rows(figures, scenario, table)
    if not rows:
        return []
    several = len({p.name for _, p, _ in rows}) > 1
    out = [
        f"**{table.title}**",
        "",
        "| | " + " | ".join(header for _, header, _ in table.columns) + " |",
        "|---|" + "---|" * len(table.columns),
    ]
    for s, p, values in rows:
        name = (f"**{s.name}**" if s.ours else s.name) + (f", {p.name}" if several else "")
        cells = [FORMATS[unit](v) for v, (_, _, unit) in zip(values, table.columns)]
        out.append(f"| {name} | " + " | ".join(cells) + " |")
    return out + [""]


def summary_plots(figures, scenario, table):
    rows = summary_rows(figures, scenario, table)
    if not rows:
        return []
    if table.growing:
        first = rows[0][2]
        series = {}
        for i, (metric, header, _) in enumerate(table.columns):
            values = [v[i] / first[i] if v[i] and first[i] else None for _, _, v in rows]
            if metric == "per_second":  # as a cost, like the others
                header, values = "time of a command", [1 / v if v else None for v in values]
            series[header] = values
        svg = plot.lines(
            f"{scenario.title}: cost as multiples of the cost at {rows[0][1].name}",
            [p.name for _, p, _ in rows],
            series,
            "",
        )
        return [(f"{scenario.key}.svg", svg)]
    made = []
    for metric, header in (
        ("loaded_mib", "resident memory under load"),
        ("ready_ms", "from exec to ready"),
    ):
        at = [m for m, _, _ in table.columns].index(metric)
        unit = "MiB" if metric.endswith("mib") else "ms"
        made.append(
            (
                f"{scenario.key}_{metric}.svg",
                plot.bars(
                    f"{scenario.title}: {header}",
                    {f"{s.name}, {p.name}": v[at] for s, p, v in rows},
                    unit,
                ),
            )
        )
    return [(name, svg) for name, svg in made if svg]


def table_of(figures, scenario, table):
    if isinstance(table, Summary):
        return summary_of(figures, scenario, table)
    points = points_of(figures, scenario, table)
    subjects = measured_subjects(figures, scenario, table)
    if not points or not subjects:
        return []
    rows = [
        f"**{table.title}**" + (f", {table.unit}" if table.unit not in ("rate", "time") else ""),
        "",
        "| | " + " | ".join(p.name for p in points) + " |",
        "|---|" + "---|" * len(points),
    ]
    for s in subjects:
        name = f"**{s.name}**" if s.ours else s.name
        cells = [
            cell(figures, scenario, s.name, p.name, table)
            + times(figures, scenario, s.name, p.name, table)
            for p in points
        ]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return rows + [""]


def sync_table(figures, scenario):
    rows = [(s, figures.sync(scenario.key, s.name)) for s in scenario.subjects]
    rows = [(s, sync) for s, sync in rows if sync]
    if not rows:
        return []
    return [
        "| | synced to disk |",
        "|---|---|",
        *(f"| {s.name} | {sync} |" for s, sync in rows),
        "",
    ]


def goal_rows(figures, scenario):
    """(text, met, how it stands) of each goal that can be judged."""
    rows = []
    for goal in scenario.goals:
        ratios = {
            other: figures.ratio(scenario.key, goal.subject, other, goal.point, goal.metric)
            for other in goal.against
        }
        known = {other: r for other, r in ratios.items() if r is not None}
        if not known:
            continue
        short_of = [other for other, r in known.items() if r < goal.factor]
        stands = ", ".join(f"{other} ×{rounded(r)}" for other, r in known.items())
        rows.append((goal.text, not short_of, stands))
    return rows


def markdown(figures, scenarios, machine, versions, absent, notes, rounds, seconds):
    """The whole of results.md. `absent`: (scenario, subject) -> reason."""
    out = [
        "# Where we stand",
        "",
        "Written by `tests/benchmarks/run`; what it measures and how: [README.md](README.md). "
        f"Medians of {rounds} rounds of {seconds:g} s each, interleaved in one run; ±: half of "
        "the distance between the highest and the lowest round. ×n: as many times as good is the "
        "first row of its table. –: not measured; an arrival rate is offered only to what "
        "carries more than it. Latencies count from when an operation was due.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {k} | {v} |" for k, v in machine.items()),
        "| versions | " + ", ".join(f"{k} {v}" for k, v in versions.items()) + " |",
        "",
    ]
    goals = [(s, row) for s in scenarios for row in goal_rows(figures, s)]
    if goals:
        out += [
            "## Goals",
            "",
            "| goal | met | as it stands |",
            "|---|---|---|",
            *(
                f"| {text} | {'yes' if met else '**no**'} | {stands} |"
                for _, (text, met, stands) in goals
            ),
            "",
        ]
    if notes:
        out += [notes.strip(), ""]
    for scenario in scenarios:
        out += [f"## {scenario.title}", "", scenario.says, ""]
        for table in scenario.tables:
            out += table_of(figures, scenario, table)
        out += sync_table(figures, scenario)
        for name, _ in plots_of(figures, scenario):
            out += [f"![{scenario.title}](results/{name})", ""]
        missing = {subject: why for (key, subject), why in absent.items() if key == scenario.key}
        if missing:
            out += [
                "Left out:",
                "",
                *(f"- {subject}: {why}" for subject, why in missing.items()),
                "",
            ]
    return "\n".join(out).rstrip() + "\n"


def plots_of(figures, scenario):
    """(file name, SVG) of each plot of a scenario."""
    made = []
    for table in scenario.tables:
        if isinstance(table, Summary):
            made += summary_plots(figures, scenario, table)
            continue
        points = points_of(figures, scenario, table)
        subjects = measured_subjects(figures, scenario, table)
        metric = (
            table.metrics[min(1, len(table.metrics) - 1)]
            if table.kind == "open"
            else table.metrics[0]
        )

        def value(s, p):
            return figures.median(scenario.key, s.name, p.name, metric)

        unit = {"rate": "/s", "time": "µs"}.get(table.unit, table.unit)
        if table.kind == "once":
            for p in points:
                name = re.sub(r"[^A-Za-z0-9]+", "_", p.name).strip("_")
                made.append(
                    (
                        f"{scenario.key}_{name}.svg",
                        plot.bars(
                            f"{scenario.title}: {p.name}",
                            {s.name: value(s, p) for s in subjects},
                            unit,
                        ),
                    )
                )
        elif points:
            label = {"rate": "a second", "time": "p99, µs"}[table.unit]
            made.append(
                (
                    f"{scenario.key}_{table.kind}.svg",
                    plot.lines(
                        f"{scenario.title}: {table.title.split(':')[0].lower()}",
                        [p.name for p in points],
                        {s.name: [value(s, p) for p in points] for s in subjects},
                        label,
                    ),
                )
            )
    return [(name, svg) for name, svg in made if svg]

"""results.md and the plots, from figures."""

from . import plot
from .figures import duration, rounded


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
    ratio = figures.ratio(scenario.key, scenario.reference, subject, point, table.metrics[0])
    if ratio is None or subject == scenario.reference:
        return ""
    if not table.higher_is_better:
        ratio = 1 / ratio if ratio else 0
    return f" (×{rounded(ratio)})"


def points_of(figures, scenario, table):
    return [p for p in scenario.points if p.kind == table.kind
            and any(figures.values(scenario.key, s.name, p.name, table.metrics[0])
                    for s in scenario.subjects)]


def measured_subjects(figures, scenario, table):
    return [s for s in scenario.subjects
            if any(figures.values(scenario.key, s.name, p.name, table.metrics[0])
                   for p in scenario.points if p.kind == table.kind)]


def table_of(figures, scenario, table):
    points = points_of(figures, scenario, table)
    subjects = measured_subjects(figures, scenario, table)
    if not points or not subjects:
        return []
    rows = [f"**{table.title}**" + (f", {table.unit}" if table.unit not in ("rate", "time") else ""),
            "", "| | " + " | ".join(p.name for p in points) + " |",
            "|---|" + "---|" * len(points)]
    for s in subjects:
        name = f"**{s.name}**" if s.ours else s.name
        cells = [cell(figures, scenario, s.name, p.name, table)
                 + times(figures, scenario, s.name, p.name, table) for p in points]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return rows + [""]


def sync_table(figures, scenario):
    rows = [(s, figures.sync(scenario.key, s.name)) for s in scenario.subjects]
    rows = [(s, sync) for s, sync in rows if sync]
    if not rows:
        return []
    return ["| | synced to disk |", "|---|---|",
            *(f"| {s.name} | {sync} |" for s, sync in rows), ""]


def goal_rows(figures, scenario):
    """(text, met, how it stands) of each goal that can be judged."""
    rows = []
    for goal in scenario.goals:
        ratios = {other: figures.ratio(scenario.key, goal.subject, other, goal.point, goal.metric)
                  for other in goal.against}
        known = {other: r for other, r in ratios.items() if r is not None}
        if not known:
            continue
        short_of = [other for other, r in known.items() if r < goal.factor]
        stands = ", ".join(f"{other} ×{rounded(r)}" for other, r in known.items())
        rows.append((goal.text, not short_of, stands))
    return rows


def markdown(figures, scenarios, machine, versions, absent, notes, rounds, seconds):
    """The whole of results.md. `absent`: (scenario, subject) -> reason."""
    out = ["# Where we stand", "",
           "Written by `tests/benchmarks/run`; what it measures and how: [README.md](README.md). "
           f"Medians of {rounds} rounds of {seconds:g} s each, interleaved in one run; ±: half of "
           "the distance between the highest and the lowest round. ×n: as many times as good is the "
           "first row of its table. –: not measured; an arrival rate is offered only to what "
           "carries more than it. Latencies count from when an operation was due.", "",
           "| | |", "|---|---|",
           *(f"| {k} | {v} |" for k, v in machine.items()),
           "| versions | " + ", ".join(f"{k} {v}" for k, v in versions.items()) + " |", ""]
    goals = [(s, row) for s in scenarios for row in goal_rows(figures, s)]
    if goals:
        out += ["## Goals", "", "| goal | met | as it stands |", "|---|---|---|",
                *(f"| {text} | {'yes' if met else '**no**'} | {stands} |"
                  for _, (text, met, stands) in goals), ""]
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
            out += ["Left out:", "", *(f"- {subject}: {why}" for subject, why in missing.items()), ""]
    return "\n".join(out).rstrip() + "\n"


def plots_of(figures, scenario):
    """(file name, SVG) of each plot of a scenario."""
    made = []
    for table in scenario.tables:
        points = points_of(figures, scenario, table)
        subjects = measured_subjects(figures, scenario, table)
        metric = table.metrics[min(1, len(table.metrics) - 1)] if table.kind == "open" \
            else table.metrics[0]

        def value(s, p):
            return figures.median(scenario.key, s.name, p.name, metric)

        if len(points) > 1:
            label = {"rate": "a second", "time": "p99, µs"}.get(table.unit, table.unit)
            svg = plot.lines(f"{scenario.title}: {table.title.split(':')[0].lower()}",
                             [p.name for p in points],
                             {s.name: [value(s, p) for p in points] for s in subjects}, label)
        elif points:
            unit = {"rate": "/s", "time": "µs"}.get(table.unit, table.unit)
            svg = plot.bars(f"{scenario.title}: {table.title.lower()}",
                            {s.name: value(s, points[0]) for s in subjects}, unit)
        else:
            svg = None
        if svg:
            made.append((f"{scenario.key}_{table.metrics[0]}.svg", svg))
    return made

"""Plots as SVG: throughput by what is in flight, latency by arrival rate, bars for the rest."""

from html import escape
import math

WIDTH, LEFT, RIGHT, TOP = 860, 80, 260, 40
COLORS = (
    "#0b6e99",
    "#b3521d",
    "#3b7d23",
    "#7a3e9d",
    "#555555",
    "#c2185b",
    "#00897b",
    "#8d6e63",
    "#5c6bc0",
    "#9e9d24",
    "#37474f",
)


def _text(x, y, text, anchor="start", size=12, color="#222222"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{color}">{escape(text)}</text>'
    )


def _line(x1, y1, x2, y2, color="#dddddd", width=1):
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" '
        f'stroke-width="{width}"/>'
    )


def _document(height, title, parts):
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
            'font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{height:.0f}" fill="white"/>',
            _text(LEFT, 22, title, size=14),
            *parts,
            "</svg>",
            "",
        ]
    )


def _decades(values):
    low = math.floor(math.log10(min(values)))
    high = math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def short(value):
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g} {unit}"
    return f"{value:g}"


def lines(title, x_names, series, y_label):
    """`series`: name -> values, one for each x, None where there is none; logarithmic."""
    height, bottom = 440, 60
    shown = {n: v for n, v in series.items() if any(x for x in v)}
    if not shown:
        return None
    low, high = _decades([v for values in shown.values() for v in values if v])

    def x_of(i):
        return LEFT + (WIDTH - LEFT - RIGHT) * (i / max(len(x_names) - 1, 1))

    def y_of(v):
        return height - bottom - (math.log10(v) - low) / (high - low) * (height - TOP - bottom)

    parts = [_text(LEFT, height - 12, y_label, color="#777777")]
    for decade in range(low, high + 1):
        parts.append(_line(LEFT, y_of(10**decade), WIDTH - RIGHT, y_of(10**decade)))
        parts.append(_text(LEFT - 8, y_of(10**decade) + 4, short(10**decade), "end"))
    for i, name in enumerate(x_names):
        parts.append(_line(x_of(i), TOP, x_of(i), height - bottom))
        parts.append(_text(x_of(i), height - bottom + 18, name, "middle"))
    ends = []
    for at, (name, values) in enumerate(shown.items()):
        color = COLORS[at % len(COLORS)]
        points = [(x_of(i), y_of(v)) for i, v in enumerate(values) if v]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline fill="none" stroke="{color}" stroke-width="2" points="{path}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{color}"/>' for x, y in points]
        ends.append((points[-1][1], name, color))
    last = 0
    for y, name, color in sorted(ends):
        last = max(y + 4, last + 15)
        parts.append(_text(WIDTH - RIGHT + 10, last, name, color=color))
    return _document(height, title, parts)


def bars(title, values, unit):
    """`values`: name -> value; logarithmic if they differ by more than a decade."""
    values = {n: v for n, v in values.items() if v}
    if not values:
        return None
    height = TOP + 26 * len(values) + 20
    name_width = 240
    span = WIDTH - name_width - 120
    most, least = max(values.values()), min(values.values())
    logarithmic = most > 10 * least
    low = _decades(values.values())[0] if logarithmic else 0

    def length(v):
        if logarithmic:
            return span * (math.log10(v) - low) / (math.log10(most) - low)
        return span * v / most

    parts = []
    for at, (name, value) in enumerate(values.items()):
        y = TOP + 26 * at
        parts.append(_text(name_width - 8, y + 15, name, "end"))
        parts.append(
            f'<rect x="{name_width}" y="{y + 3}" width="{max(length(value), 1):.1f}" '
            f'height="16" fill="{COLORS[at % len(COLORS)]}"/>'
        )
        parts.append(_text(name_width + length(value) + 6, y + 15, f"{value:.3g} {unit}"))
    if logarithmic:
        parts.append(_text(name_width, height - 6, "logarithmic", color="#777777"))
    return _document(height, title, parts)

"""The figures of a run as pictures: a webhook's processor time beside the rivals', where the server's goes, and PostgreSQL's.

`python -m tests.benchmark.picture FIGURES.json STATEMENTS.svg SERVER.svg` draws the last two from figures written earlier.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from tests.benchmark.told import Line, Told
from tests.benchmark.webhooks import ALONE, WHERE

WIDTH, BAR, GAP, LEFT = 760, 22, 12, 330
THIN, NAME_LETTERS_MAX = 7, 46
SHADES = ("#c3d8d1", "#8fbcae", "#2f6f5e")
TITLE = "Where PostgreSQL's time goes: statements of one webhook, p50 in µs at the largest size"
COLOURS = {"the server": "#2f6f5e", "PostgreSQL": "#8fbcae"}


def write_svg(told: Told, path: Path) -> None:
    """Draw a bar for each of the webhook's figures that has its processor time told; nothing where there is none."""
    bars = _bars(told)
    if not bars:
        return
    scale = (WIDTH - LEFT - 90) / max(sum(parts.values()) for parts in bars.values())
    height = len(bars) * (BAR + GAP) + 50
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="8" y="18" font-weight="bold">Processor time of one durable webhook, µs: less is better</text>',
        *(
            f'<rect x="{470 + 120 * n}" y="8" width="12" height="12" fill="{colour}"/>'
            f'<text x="{487 + 120 * n}" y="18">{what}</text>'
            for n, (what, colour) in enumerate(COLOURS.items())
        ),
    ]
    for index, (name, parts) in enumerate(bars.items()):
        y, x = 34 + index * (BAR + GAP), float(LEFT)
        drawn.append(f'<text x="8" y="{y + 15}">{escape(name)}</text>')
        for what, microseconds in parts.items():
            width = microseconds * scale
            drawn.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{COLOURS[what]}">'
                f"<title>{what}: {microseconds:.0f} µs</title></rect>"
            )
            x += width
        drawn.append(f'<text x="{x + 6:.1f}" y="{y + 15}">{sum(parts.values()):.0f}</text>')
    path.write_text("\n".join([*drawn, "</svg>"]) + "\n")


def write_statements_svg(told: Told, path: Path) -> None:
    """Draw a bar for each statement of the write path at each size of the database; nothing without such figures."""
    bars = _statements(told)
    sizes = list(next(iter(bars.values()), {}))
    if not sizes:
        return
    scale = (WIDTH - LEFT - 90) / max(max(one.values()) for one in bars.values())
    row = len(sizes) * THIN + GAP
    drawn = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{len(bars) * row + 50}"'
            ' font-family="sans-serif" font-size="12">'
        ),
        f'<rect width="{WIDTH}" height="{len(bars) * row + 50}" fill="#ffffff"/>',
        f'<text x="8" y="18" font-weight="bold">{TITLE}</text>',
        *(
            f'<rect x="{LEFT + 140 * n}" y="26" width="12" height="12" fill="{SHADES[n]}"/>'
            f'<text x="{LEFT + 17 + 140 * n}" y="37">{size}</text>'
            for n, size in enumerate(sizes)
        ),
    ]
    for index, (name, times) in enumerate(bars.items()):
        y = 50 + index * row
        drawn.append(f'<text x="8" y="{y + 14}">{escape(name[:NAME_LETTERS_MAX])}</text>')
        for n, (size, milliseconds) in enumerate(times.items()):
            drawn.append(
                f'<rect x="{LEFT}" y="{y + n * THIN}" width="{milliseconds * scale:.1f}" height="{THIN - 1}" fill="{SHADES[n]}">'
                f"<title>{size}: {milliseconds:.3f} ms</title></rect>"
            )
        last, longest = list(times.values())[-1], max(times.values())
        drawn.append(f'<text x="{LEFT + longest * scale + 6:.1f}" y="{y + 14}">{1000 * last:.0f}</text>')
    path.write_text("\n".join([*drawn, "</svg>"]) + "\n")


def write_server_svg(told: Told, path: Path) -> None:
    """Draw a bar for each part of the server's own processor time; nothing without such figures."""
    lines = [line for line in told.lines if line.section == WHERE]
    if not lines:
        return
    scale = (WIDTH - LEFT - 90) / max(line.value for line in lines)
    height = len(lines) * (BAR + GAP) + 50
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="8" y="18" font-weight="bold">{escape(WHERE)}, %</text>',
    ]
    for index, line in enumerate(lines):
        y, width = 34 + index * (BAR + GAP), line.value * scale
        drawn.append(f'<text x="8" y="{y + 15}">{escape(line.what)}</text>')
        drawn.append(
            f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{COLOURS["the server"]}"/>'
        )
        drawn.append(f'<text x="{LEFT + width + 6:.1f}" y="{y + 15}">{line.value:.0f}</text>')
    path.write_text("\n".join([*drawn, "</svg>"]) + "\n")


def _statements(told: Told) -> Mapping[str, Mapping[str, float]]:
    """Name -> size -> milliseconds, the dearest first; the commit is the disk's, and beside it the others would be lines."""
    bars: dict[str, dict[str, float]] = {}
    for line in told.lines:
        if "statements in PostgreSQL" in line.section and line.unit == "ms":
            name, _, size = line.what.rpartition(", at ")
            bars.setdefault(name, {})[f"{size} bookings"] = line.value
    shown = [(name, times) for name, times in bars.items() if name != "commit"]
    return dict(sorted(shown, key=lambda one: -max(one[1].values())))


def _bars(told: Told) -> dict[str, dict[str, float]]:
    """Name -> the parts of its processor time; pgbench has PostgreSQL's only."""
    bars: dict[str, dict[str, float]] = {}
    name = ""
    for line in told.lines:
        if line.section != "Durable webhooks":
            continue
        if not line.what.startswith("  "):
            name = line.what
        elif name == ALONE:  # ten times the others': beside it they would be one line
            continue
        elif line.what == "  processor time":
            bars[name] = {"PostgreSQL": line.value}
        elif line.what == "  of it the server":
            bars[name] = {"the server": line.value}
        elif line.what == "  of it PostgreSQL":
            bars[name]["PostgreSQL"] = line.value
    return bars


if __name__ == "__main__":
    read = Told()
    read.lines = [Line(**one) for one in json.loads(Path(sys.argv[1]).read_text())]
    write_statements_svg(read, Path(sys.argv[2]))
    write_server_svg(read, Path(sys.argv[3]))

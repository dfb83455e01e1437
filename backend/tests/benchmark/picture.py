"""The figures of a run as a picture for the README: processor time of one durable webhook, ours beside the rivals."""

from pathlib import Path
from xml.sax.saxutils import escape

from tests.benchmark.told import Told
from tests.benchmark.webhooks import ALONE

WIDTH, BAR, GAP, LEFT = 760, 22, 12, 330
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

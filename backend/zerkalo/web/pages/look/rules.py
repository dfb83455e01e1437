"""Derives from one colour the style sheet the pages need, legible on light and dark backgrounds. Pure.

The colour itself fills buttons, under white or black text, whichever is legible on it. As text it is darkened, or on
dark pages lightened, until it is legible.
"""

CONTRAST_MIN = 4.5
"""Contrast of text with its background: WCAG 2.2, 1.4.3, level AA."""
STEPS = 20

Colour = tuple[int, int, int]
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
LIGHT_GROUNDS = (WHITE, (246, 246, 243))
"""--paper and --ground of `app.css`."""
DARK_GROUNDS = ((28, 35, 34), (19, 25, 24))


def colour_of(text: str) -> Colour:
    """Parse `#rrggbb`."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio as WCAG defines it, from 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def sheet(text: str) -> str:
    """Return the style sheet of a colour, `#rrggbb`."""
    colour = colour_of(text)
    on_fill = WHITE if contrast(colour, WHITE) >= CONTRAST_MIN else BLACK
    fill = {
        "fill": colour,
        "fill-dark": _mixed(colour, BLACK if on_fill == WHITE else WHITE, 0.25),
        "on-accent": on_fill,
    }
    light = _accents(colour, _mixed(colour, WHITE, 0.88), LIGHT_GROUNDS, BLACK)
    dark = _accents(colour, _mixed(colour, DARK_GROUNDS[1], 0.85), DARK_GROUNDS, WHITE)
    return f"{_rule(light | fill)}@media (prefers-color-scheme: dark) {{\n{_rule(dark | fill)}}}\n"


def _accents(colour: Colour, tint: Colour, grounds: tuple[Colour, ...], towards: Colour) -> dict[str, Colour]:
    accent = _legible(colour, (*grounds, tint), towards)
    return {"accent": accent, "accent-dark": _mixed(accent, towards, 0.25), "accent-light": tint}


def _legible(colour: Colour, grounds: tuple[Colour, ...], towards: Colour) -> Colour:
    """Return the first mixture with `towards` that is legible on all the grounds."""
    mixtures = (_mixed(colour, towards, step / STEPS) for step in range(STEPS + 1))
    return next(one for one in mixtures if min(contrast(one, ground) for ground in grounds) >= CONTRAST_MIN)


def _mixed(one: Colour, other: Colour, part: float) -> Colour:
    """Mix `part` of `other` with the rest of `one`."""
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _luminance(colour: Colour) -> float:
    red, green, blue = (_linear(channel / 255) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _rule(colours: dict[str, Colour]) -> str:
    lines = (
        f"  --{name}: #{red:02x}{green:02x}{blue:02x};\n" for name, (red, green, blue) in colours.items()
    )
    return f":root {{\n{''.join(lines)}}}\n"

"""A salon's colour: whatever it is, what is written in it and on it can be read, on light pages and on dark ones."""

import re
from itertools import product

import pytest

from zerkalo.web.pages.assets import FOLDER
from zerkalo.web.pages.look.rules import CONTRAST_MIN, Colour, colour_of, contrast, sheet

COLOURS = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in product(range(0, 256, 51), repeat=3)]
FRAMES = re.findall(r":root \{([^}]*)\}", (FOLDER / "app.css").read_text())
"""The light colours of `app.css`, then the dark ones."""


def colours_of(rule: str) -> dict[str, Colour]:
    found = re.findall(r"--([a-z-]+): (#[0-9a-f]+);", rule)
    return {
        name: colour_of(text if len(text) == 7 else "#" + "".join(2 * digit for digit in text[1:]))
        for name, text in found
    }


@pytest.mark.parametrize("frame", [0, 1], ids=["light", "dark"])
def test_every_colour_can_be_read_as_text_and_under_text(frame: int):
    for text in COLOURS:
        look = colours_of(FRAMES[frame]) | colours_of(re.findall(r":root \{([^}]*)\}", sheet(text))[frame])
        pairs = [
            *product(("accent", "accent-dark"), ("paper", "ground", "accent-light")),
            *product(("ink", "soft"), ("accent-light",)),
            *product(("on-accent",), ("fill", "fill-dark")),
        ]
        for one, other in pairs:
            assert contrast(look[one], look[other]) >= CONTRAST_MIN, (text, one, other)


def test_a_pale_colour_keeps_itself_on_buttons_and_gets_dark_text():
    assert "--fill: #ffd500" in sheet("#ffd500")
    assert "--on-accent: #000000" in sheet("#ffd500")
    assert "--accent: #ffd500" not in sheet("#ffd500").partition("@media")[0]


def test_a_colour_that_can_be_read_is_taken_as_it_is():
    light = sheet("#0b5e63").partition("@media")[0]

    assert "--accent: #0b5e63" in light
    assert "--fill: #0b5e63" in light
    assert "--on-accent: #ffffff" in light

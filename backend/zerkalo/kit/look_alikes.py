"""How codes are read: in capitals, Latin ones for the Cyrillic ones that look like them. Pure."""

CODE_LENGTH_MIN, CODE_LENGTH_MAX = 4, 20
"""Characters of a code that an import or an admin brings; the codes we make have `codes.rules.CODE_LENGTH`."""

HYPHENS = r"\-\u2010-\u2015"
"""Inside a regular expression's brackets: what people put between the characters of a code."""

QUOTES = "\"'`«»„“”‘’*_~"
"""Inside a regular expression's brackets: quotes and the marks that Markdown sets a word in."""

_INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
"""Soft hyphens, zero-width spaces and marks: they come along when a text is copied from a page or a messenger."""
_LOOK_ALIKES = str.maketrans("АВЕКМНОРСТУХІЈЅ", "ABEKMHOPCTYXIJS", _INVISIBLE)


def as_latin(text: str) -> str:
    """The text in capitals, without what nobody sees, and with Latin letters for Cyrillic ones that look like them."""
    return text.upper().translate(_LOOK_ALIKES)

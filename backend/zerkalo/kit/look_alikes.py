"""Normalise codes: upper case, with Latin letters for Cyrillic ones that look like them. Pure."""

CODE_LENGTH_MIN, CODE_LENGTH_MAX = 4, 20
"""Length of a code from an import or an admin; our own codes have `codes.rules.CODE_LENGTH`."""

HYPHENS = r"\-\u2010-\u2015"
"""Inside a regular expression's brackets: what people put between the characters of a code."""

QUOTES = "\"'`«»„“”‘’*_~"
"""Inside a regular expression's brackets: quotes and Markdown's emphasis marks."""

_INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
"""Soft hyphens, zero-width spaces and marks, which text copied from a page or a messenger may contain."""
_LOOK_ALIKES = str.maketrans("АВЕКМНОРСТУХІЈЅ", "ABEKMHOPCTYXIJS", _INVISIBLE)


def as_latin(text: str) -> str:
    """Return the text in upper case, without invisible characters, with Latin letters for Cyrillic look-alikes."""
    return text.upper().translate(_LOOK_ALIKES)

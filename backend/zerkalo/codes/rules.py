"""Parse codes and make new ones. Pure, except for the random source passed in."""

import random
import re

from zerkalo.kit.look_alikes import CODE_LENGTH_MAX, CODE_LENGTH_MIN, HYPHENS, QUOTES, as_latin

CODE_LENGTH = 8
"""Length of the codes that we make."""

ALPHABET = "CDFGHJKMNPRTVWX34679"
"""The characters of our codes: no look-alikes (0 O Q, 1 I L, 2 Z, 5 S, 8 B, U), and no vowels, so that no code spells
a word. There are 20^8 = 25,600,000,000 codes: with a million users one guess in 25,600 hits."""

_CANONICAL = re.compile(rf"[A-Z0-9]{{{CODE_LENGTH_MIN},{CODE_LENGTH_MAX}}}")
_SEPARATORS = re.compile(rf"[\s{HYPHENS}{QUOTES}]+")

_secure = random.SystemRandom()


def new_code(rng: random.Random = _secure) -> str:
    """Return a random code, from the machine's secure source unless a test passes its own.

    The caller checks that it is free, in `users` and `retired_codes`.
    """
    return "".join(rng.choices(ALPHABET, k=CODE_LENGTH))


def canonical_code(text: str) -> str | None:
    """Return a typed code in its stored form, 4 to 20 of A-Z0-9; None where the text is not a code.

    Case, spaces, hyphens, quotes and Markdown marks don't matter; Cyrillic letters that look like Latin ones are read
    as those. Codes from an import or an admin may contain characters outside `ALPHABET`.
    """
    code = _SEPARATORS.sub("", as_latin(text))
    return code if _CANONICAL.fullmatch(code) else None

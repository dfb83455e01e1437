"""What a code is and how a new one is made. Pure, but for the source of chance that is handed in."""

import random
import re

from zerkalo.kit.look_alikes import CODE_LENGTH_MAX, CODE_LENGTH_MIN, HYPHENS, QUOTES, as_latin

CODE_LENGTH = 8
"""Of the codes that we make."""

ALPHABET = "CDFGHJKMNPRTVWX34679"
"""What we make codes of. Without look-alikes (0 O Q, 1 I L, 2 Z, 5 S, 8 B, U) and without vowels, so that no code
spells a word. 20^8 are 25,600,000,000 codes: among a million users a guess hits one in 25,600."""

_CANONICAL = re.compile(rf"[A-Z0-9]{{{CODE_LENGTH_MIN},{CODE_LENGTH_MAX}}}")
_SEPARATORS = re.compile(rf"[\s{HYPHENS}{QUOTES}]+")

_secure = random.SystemRandom()


def new_code(rng: random.Random = _secure) -> str:
    """A code made by chance, from the machine's secure source unless a test hands in its own.

    Whether it is free is for the caller to see: `users` and `retired_codes` know.
    """
    return "".join(rng.choices(ALPHABET, k=CODE_LENGTH))


def canonical_code(text: str) -> str | None:
    """The code that a person typed, as it is stored: 4 to 20 of A-Z0-9; None where the text is no code.

    Case, spaces, hyphens, quotes and Markdown marks don't matter; Cyrillic letters that look like Latin ones are read
    as those. Codes that an import or an admin brings may hold characters which we would not choose ourselves.
    """
    code = _SEPARATORS.sub("", as_latin(text))
    return code if _CANONICAL.fullmatch(code) else None

"""Interpret a text typed into the journal's search. Pure."""

from zerkalo.bookings.journal.model import Search
from zerkalo.kit.cursor import ID_MAX
from zerkalo.kit.look_alikes import as_latin
from zerkalo.kit.phone import DIGITS_MAX, TAIL_DIGITS

PHONE_DIGITS_MIN = 4
_CODE_CHARS_MIN, _CODE_CHARS_MAX = 4, 20


def read_search(text: str) -> Search | None:
    """Return the text as a code, a record's number, digits of a phone and a name, wherever it fits. None for "".

    A text with a letter is neither phone nor number, so ABC12345 does not find phones that contain 12345. A whole
    phone is not a name.
    """
    bare = " ".join(text.split())
    if not bare:
        return None
    if any(character.isalpha() for character in bare):
        return Search(code=_code(bare), name=bare.lower())
    digits = "".join(character for character in bare if character.isascii() and character.isdigit())
    record_id = int(digits) if bare == digits and int(digits) <= ID_MAX else None
    if TAIL_DIGITS <= len(digits) <= DIGITS_MAX:
        return Search(record_id=record_id, phone10=digits[-TAIL_DIGITS:], code=_code(bare))
    piece = digits if len(digits) >= PHONE_DIGITS_MIN else None
    return Search(record_id=record_id, digits=piece, code=_code(bare), name=bare.lower())


def _code(text: str) -> str | None:
    """Return the text as a code, with or without our label before it."""
    code = "".join(character for character in as_latin(text.rpartition(":")[2]) if character.isalnum())
    return code if code.isascii() and _CODE_CHARS_MIN <= len(code) <= _CODE_CHARS_MAX else None

"""Phones as salons type them: E.164 where they parse, and the key by which two phones are compared.

A phone's *key* is its E.164 form, or its bare last ten digits where it does not parse. Two keys that both carry a
country code must be equal; a bare one equals every key that ends in its ten digits (`same_phone`). In SQL an E.164
phone is looked up by `= any(keys_alike(phone))`, a bare one by the last ten digits.
"""

import re
from functools import lru_cache

import phonenumbers

LENGTH_MAX = 64
"""In characters: longer text is no phone."""
DIGITS_MAX = 15
"""E.164's bound. More digits are two phones in one field, or none."""
TAIL_DIGITS = 10

_RUSSIAN = re.compile(r"\+7[0-9]{10}")
_RUN = re.compile(r"\+?[\s(]*[0-9](?:[\s().\u2010-\u2015-]*[0-9])*")
_NOT_A_DIGIT = re.compile(r"[^0-9]+")
_WITH_DECIMALS = re.compile(r"\s*(\+?[0-9]{5,15})[.,]0+\s*")
_SCIENTIFIC = re.compile(r"\s*([0-9])[.,]?([0-9]*)[eEеЕ]([+-]?[0-9]{1,2})\s*")
"""A phone as rewritten by spreadsheets: `9161234570.0`, `9,161234567E+09`."""


def normalise_phone(phone: str | int) -> tuple[str | None, str | None]:
    """Return the phone as E.164 and its last ten digits, each None where there is none.

    A ten-digit phone is a Russian one, and so is one of eleven digits with 8 or 7 in front; other numbers
    need their country code, with or without a plus (YCLIENTS accepts "digits with country code"). Possible
    numbers count, assigned or not: ranges change faster than the library's data. An unparsable phone of 10 to 15
    digits still has last ten digits. Words around the number are ignored, an extension too; two numbers in one field
    are refused, as it is unclear which is meant. A number rewritten by a spreadsheet is restored where it has all
    its digits, and refused otherwise. Normalising is idempotent.
    """
    if isinstance(phone, int):
        phone = str(phone) if 0 < phone < 10**DIGITS_MAX else ""
    if _RUSSIAN.fullmatch(phone):
        return phone, phone[-TAIL_DIGITS:]
    return _normalised(phone) if len(phone) <= LENGTH_MAX else (None, None)


def phone_key(phone: str | int) -> str | None:
    """Return the phone in the form for comparison: E.164, else the bare last ten digits; None where it is no phone."""
    e164, tail = normalise_phone(phone)
    return e164 or tail


def keys_alike(key: str) -> tuple[str, ...]:
    """Return the keys to look up in an index to find the phones equal to this one.

    Complete for a key in E.164. A bare key equals all keys that end in it, which equality alone does not find.
    """
    tail = key[-TAIL_DIGITS:]
    return (key, tail) if key.startswith("+") and len(key) > TAIL_DIGITS else (key,)


def same_phone(one: str, other: str) -> bool:
    """Return whether two keys are one phone: by the whole number where both have a country code, else by ten digits."""
    if one.startswith("+") and other.startswith("+"):
        return one == other
    tail = one[-TAIL_DIGITS:]
    return len(tail) == TAIL_DIGITS and tail == other[-TAIL_DIGITS:]


@lru_cache(maxsize=8192)
def _normalised(text: str) -> tuple[str | None, str | None]:
    run = _only_number(_from_spreadsheet(text))
    digits = _NOT_A_DIGIT.sub("", run)
    if not TAIL_DIGITS <= len(digits) <= DIGITS_MAX:
        # Short numbers exist abroad (+376 123456), but only a plus distinguishes them from part of a phone.
        return (_parsed(digits), None) if run.startswith("+") and len(digits) < TAIL_DIGITS else (None, None)
    e164 = _parsed(digits) if run.startswith("+") else _parsed(_with_country_code(digits))
    tail = e164[1:] if e164 else digits
    return e164, tail[-TAIL_DIGITS:] if len(tail) >= TAIL_DIGITS else None


def _from_spreadsheet(text: str) -> str:
    """Return the digits of a number that a spreadsheet rewrote; "" where it cut some off; any other text unchanged."""
    if decimals := _WITH_DECIMALS.fullmatch(text):
        return decimals[1]
    if scientific := _SCIENTIFIC.fullmatch(text):
        first, rest, exponent = scientific[1], scientific[2], int(scientific[3])
        rest = rest[:exponent] + rest[exponent:].rstrip("0")
        return first + rest if len(rest) == exponent else ""
    return text


def _only_number(text: str) -> str:
    """Return the one run of digits long enough for a phone; all of the text where none is; "" for several."""
    runs = [run for run in _RUN.findall(text) if len(_NOT_A_DIGIT.sub("", run)) >= TAIL_DIGITS]
    if len(runs) > 1:
        return ""
    return runs[0] if runs else text.strip()


def _with_country_code(digits: str) -> str:
    if len(digits) == 10:
        return "7" + digits
    if len(digits) == 11 and digits[0] == "8":
        return "7" + digits[1:]
    if digits.startswith("810"):  # how Russia dials abroad
        return digits[3:]
    return digits.removeprefix("00")  # how most others do


def _parsed(digits: str) -> str | None:
    """Return E.164 of digits with country code, if that is a possible number which reads as itself again."""
    try:
        e164 = _formatted("+" + digits)
        return e164 if e164 and _formatted(e164) == e164 else None
    except phonenumbers.NumberParseException:
        return None


def _formatted(text: str) -> str | None:
    number = phonenumbers.parse(text)
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def country_of(e164: str) -> str | None:
    """The two-letter code of the country that a number (E.164) belongs to; None where that is not known."""
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return None
    named = phonenumbers.region_code_for_number(number)
    return named or phonenumbers.region_code_for_country_code(number.country_code or 0)

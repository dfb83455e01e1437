"""Parse YCLIENTS's error answers, in any of their shapes, pure."""

from typing import Any, cast

import msgspec

from zerkalo.kit.text import storable_json
from zerkalo.yclients import fields
from zerkalo.yclients.fields import FieldError
from zerkalo.yclients.model import NotJson

MESSAGE_CHARACTERS_MAX = 500
BOOKING_CODES = frozenset(range(431, 439))

_JSON = msgspec.json.Decoder(float_hook=fields.number_from_text)


class ErrorBody(msgspec.Struct, frozen=True):
    """The content of an error answer in any of YCLIENTS's three shapes (yclients-api.md, section 1)."""

    is_vendors: bool
    """Whether this is YCLIENTS's own JSON, and not the page of a proxy."""
    message: str = ""
    code: int | None = None
    appointment_id: int | None = None
    fields: dict[str, str] = {}


def parse_error(body: bytes) -> ErrorBody:
    """Parse an error answer; never raises."""
    try:
        answer = read_json(body)
    except NotJson:
        return ErrorBody(is_vendors=False)
    if not isinstance(answer, dict):
        return ErrorBody(is_vendors=False)
    said = cast("dict[str, Any]", answer)
    errors, meta = object_of(said.get("errors")), object_of(said.get("meta"))
    inner = object_of(meta.get("errors"))
    code = next((c for c in map(_code, (errors.get("code"), meta.get("code"), inner.get("code"))) if c), None)
    message = next((m for m in (errors.get("message"), meta.get("message")) if isinstance(m, str)), "")
    return ErrorBody(
        is_vendors=said.get("success") is False or "errors" in said,
        message=message[:MESSAGE_CHARACTERS_MAX],
        code=code,
        appointment_id=fields.identifier_or_none(errors.get("id", inner.get("id"))),
        fields=_field_messages(meta.get("errors")),
    )


def is_refused(body: bytes) -> bool:
    """Return whether an answer with a success status says `success: false`."""
    try:
        answer = read_json(body)
    except NotJson:
        return False
    return object_of(answer).get("success") is False


def read_json(body: bytes) -> Any:
    """Return any JSON, its numbers exact; raises NotJson."""
    try:
        return _JSON.decode(storable_json(body))
    except RecursionError:
        raise NotJson("nested too deeply") from None
    except ValueError:
        raise NotJson("malformed or cut off") from None


def object_of(value: Any) -> dict[str, Any]:
    """Return a JSON object; empty for PHP's [] and for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _code(value: Any) -> int | None:
    try:
        return fields.whole(value, 1, 999)
    except FieldError:
        return None


def _field_messages(errors: Any) -> dict[str, str]:
    """Return field -> message from `{field: [messages]}` or `[{field: message}]`."""
    maps = (
        [object_of(part) for part in cast("list[Any]", errors)]
        if isinstance(errors, list)
        else [object_of(errors)]
    )
    found: dict[str, str] = {}
    for name, said in (pair for fields_said in maps for pair in fields_said.items()):
        parts = cast("list[Any]", said) if isinstance(said, list) else [said]
        text = "; ".join(part for part in parts if isinstance(part, str))
        if text:
            found[name[:100]] = text[:MESSAGE_CHARACTERS_MAX]
    return found

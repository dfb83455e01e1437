"""Turn what was read from YCLIENTS into the body that writes it back with a change. Pure."""

from datetime import datetime
from typing import Any, cast

import msgspec

from zerkalo.yclients.model import HookChange, HooksSettings

HOOK_URLS_MAX = 10
"""The most addresses that YCLIENTS accepts for a branch (yclients-api.md, section 4)."""

_KEPT = (
    "staff_id",
    "comment",
    "attendance",
    "api_id",
    "custom_color",
    "sms_remain_hours",
    "email_remain_hours",
    "technical_break_duration",
)
_OF_SERVICE = ("id", "first_cost", "discount", "cost", "amount")
_OF_CLIENT = ("phone", "name", "surname", "patronymic", "email")


class MovedRecord(msgspec.Struct, frozen=True):
    """The body that rewrites a record at another time, and what must be free for it."""

    body: dict[str, Any]
    staff_id: int
    service_ids: tuple[int, ...]


def moved_record(raw: bytes, starts_at: datetime) -> MovedRecord | None:
    """Return the record (`Record.raw`, read from the API) at another time (aware); None where it can't be moved.

    The body has every field of a PUT, since a partial one may be refused (yclients-api.md, section 3). A booking of
    a group event can't be moved, nor a record without a specialist or services. The client is left out, and so stays
    unchanged, where the token may not see the client's phone.
    """
    said = cast("dict[str, Any]", msgspec.json.decode(raw))
    services = [_part(one, _OF_SERVICE) for one in _list(said.get("services"))]
    service_ids = tuple(one["id"] for one in services if isinstance(one.get("id"), int))
    staff_id = said.get("staff_id")
    if (
        said.get("activity_id")
        or not isinstance(staff_id, int)
        or not services
        or len(service_ids) != len(services)
    ):
        return None
    body: dict[str, Any] = {name: said[name] for name in _KEPT if said.get(name) is not None}
    body |= {
        "services": services,
        "datetime": starts_at.replace(microsecond=0).isoformat(),
        "seance_length": said.get("seance_length") or said.get("length"),
        "save_if_busy": False,
        "send_sms": False,
        "record_labels": [
            str(cast("dict[str, Any]", one).get("id"))
            for one in _list(said.get("record_labels"))
            if isinstance(one, dict)
        ],
        "custom_fields": said["custom_fields"] if isinstance(said.get("custom_fields"), dict) else {},
    }
    client = _part(said.get("client"), _OF_CLIENT)
    if client.get("phone"):
        body["client"] = client | {"phone": _digits(client["phone"])}
    return MovedRecord(body, staff_id, service_ids)


def added_hook(found: HooksSettings, url: str) -> HookChange | None:
    """Return the change that has a branch's record events sent to `url` as well; None where they are already.

    POST replaces the settings of the whole branch and has one set of switches for all its addresses
    (yclients-api.md, section 4). So it repeats every other address, with the union of all switches: an extra event
    is ignored, a missing one is a fault. `self_sending`, which GET does not return, is set, so that our own bookings
    are sent too.
    """
    own = found.of(url)
    if own.get("active") and own.get("record"):
        return None
    urls = list(dict.fromkeys([*found.urls, url]))
    everybodys = [found.switches, *found.by_url.values()]
    union = {name: max(one.get(name, 0) for one in everybodys) for one in everybodys for name in one}
    switches = union | {"active": 1, "record": 1}
    others = [found.of(one) for one in found.urls if one != url]
    turned_on = tuple(
        name for name, value in switches.items() if value and any(not one.get(name) for one in others)
    )
    body = {**switches, "urls": urls, "self_sending": 1}
    return HookChange(body, adds_url=url not in found.urls, turned_on=turned_on)


def _part(said: Any, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(said, dict):
        return {}
    parts = cast("dict[str, Any]", said)
    return {name: parts[name] for name in names if parts.get(name) is not None}


def _list(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).values())
    return cast("list[Any]", value) if isinstance(value, list) else []


def _digits(phone: Any) -> str:
    return "".join(character for character in str(phone) if character in "0123456789")

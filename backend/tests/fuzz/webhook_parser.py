"""atheris over the webhook's parser: `python -m tests.fuzz.webhook_parser [libFuzzer's options] [folder of bodies]`.

Coverage-guided: it learns which bytes lead further into the code. Whatever it tries must end in an event or in one of
the three typed errors, and nothing parsed may fail in SQL. With `-max_total_time=300` it runs five minutes.
"""

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(  # pyright: ignore[reportAttributeAccessIssue]  # it is made in C
    include=["zerkalo.yclients", "zerkalo.kit", "zerkalo.matching", "zerkalo.webhook"]
):
    from zerkalo.bookings.model import Snapshot
    from zerkalo.kit.zones import zone_of
    from zerkalo.mirror.snapshots import digest_of, snapshot_of
    from zerkalo.yclients.payloads import NotEnvelope, NotJson, UnreadableRecord, parse_webhook

from tests.support.webhook_bodies import KNOWN

_MOSCOW = zone_of("Europe/Moscow")
_BIGINT = 2**63


def try_one(body: bytes) -> None:
    """One body through everything that is done with it before the database sees it."""
    with suppress(NotJson, NotEnvelope, UnreadableRecord):  # any other error is a find
        event = parse_webhook(body)
        assert 0 < event.company_id < _BIGINT
        if event.record is None:
            return
        digest_of(event.record.raw, None)
        for zone in (None, _MOSCOW):
            check(snapshot_of(event.record, zone, complete=False))
        check(snapshot_of(event.record, _MOSCOW, complete=True))


def check(snapshot: Snapshot) -> None:
    """Every text can be stored and every number fits its column."""
    assert 0 < snapshot.record_id < _BIGINT
    for name in ("service_name", "staff_name", "comment", "phone", "email", "raw"):
        text = getattr(snapshot, name)
        if isinstance(text, str):
            assert "\x00" not in text
            text.encode()
    for name, bound in (("price_kopecks", _BIGINT), ("duration_minutes", 2**31)):
        number = getattr(snapshot, name)
        assert not isinstance(number, int) or abs(number) < bound
    assert all(4 <= len(code) <= 20 for code in snapshot.codes)


def main() -> None:
    """Runs until told to stop, beginning with the bodies we know."""
    with tempfile.TemporaryDirectory() as name:
        for number, body in enumerate(KNOWN):
            (Path(name) / str(number)).write_bytes(body)
        atheris.Setup([*sys.argv, name], try_one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()

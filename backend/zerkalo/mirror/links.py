"""Whose the bookings of a batch are: evidence looked up in sets, decided by `matching.rules`."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from zerkalo.bookings.merge_rules import masked
from zerkalo.bookings.model import MatchedBy, Row
from zerkalo.db.pool import Connection
from zerkalo.matching import store as matching
from zerkalo.matching.model import Evidence, Link, Match, Step
from zerkalo.matching.rules import decide_match
from zerkalo.users.model import MatchUser
from zerkalo.users.store import users_for_matching

Key = tuple[int, int]
"""(company, record)."""


class Linker:
    """The links of one batch. Made by `look_up`; `linked` gives the row with its link."""

    def __init__(
        self, rows: Mapping[Key, Row], form: Mapping[Key, frozenset[int]], users: list[MatchUser]
    ) -> None:
        self._rows = rows
        self._form = form
        self._users = {user.id: user for user in users}
        self._by_code = {code: user.id for user in users for code in _codes_of(user)}
        self._by_email = _grouped((user.email_proved, user.id) for user in users)
        self._by_phone10 = _grouped((user.phone10_proved, user.id) for user in users)
        self._matches: dict[Key, Match] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._rows

    @classmethod
    async def look_up(cls, conn: Connection, wanted: Mapping[Key, tuple[Row | None, str | None]]) -> "Linker":
        """Read whom the rows may belong to. `wanted`: key -> (row, the `api_id` its record carries)."""
        rows = {key: row for key, (row, _) in wanted.items() if row is not None}
        asked = {key: row for key, row in rows.items() if row.erased_at is None}
        if not asked:
            return cls(rows, {}, [])
        api_ids = {api_id: key for key, (_, api_id) in wanted.items() if api_id and key in asked}
        form = await matching.form_users(conn, asked, api_ids)
        linked = {row.user_id for row in asked.values() if row.user_id is not None}
        users = await users_for_matching(
            conn,
            codes={code for row in asked.values() for code in row.match_codes},
            emails={row.match_email for row in asked.values() if row.match_email},
            phone10s={row.match_phone10 for row in asked.values() if row.match_phone10},
            ids=linked.union(*form.values()),
        )
        return cls(rows, form, users)

    def linked(self, key: Key, before: Row | None) -> Row:
        """The row with the link that its evidence leaves, and the linked user's code."""
        row = self._rows[key]
        if row.erased_at is not None:
            return masked(row)
        current = Link(row.user_id, Step(row.matched_by) if row.matched_by else None, row.matched_version)
        match = decide_match(current, self._evidence(key, row, before))
        self._matches[key] = match
        link = match.link
        return replace(
            row,
            user_id=link.user_id,
            matched_by=MatchedBy(link.step) if link.step else None,
            matched_version=link.version,
            user_code=self._users[link.user_id].unique_code if link.user_id is not None else None,
        )

    async def remember_candidates(self, conn: Connection, ids: Mapping[Key, int], *, now: datetime) -> None:
        """Write between whom an admin must choose. A new booking with nobody to choose from costs nothing."""
        found = {
            ids[key]: (match.candidate_ids, match.candidate_step)
            for key, match in self._matches.items()
            if match.candidate_ids or self._rows[key].id is not None
        }
        await matching.replace_candidates(conn, found, now=now)

    def _evidence(self, key: Key, row: Row, before: Row | None) -> Evidence:
        seen = zip(row.match_codes, row.match_code_versions, strict=True)
        code_users: dict[int, datetime | None] = {}
        for code, version in seen:
            user_id = self._by_code.get(code)
            if user_id is not None:
                code_users[user_id] = _newest(code_users.get(user_id), version)
        return Evidence(
            form_user_ids=self._form.get(key, frozenset()),
            code_users=code_users,
            email_user_ids=self._by_email.get(row.match_email, frozenset())
            if row.match_email
            else frozenset(),
            phone_user_ids=self._by_phone10.get(row.match_phone10, frozenset())
            if row.match_phone10
            else frozenset(),
            version=row.vendor_changed_at,
            contact_changed=_contact_changed(row, before),
        )


def _codes_of(user: MatchUser) -> tuple[str, ...]:
    return (*((user.unique_code,) if user.unique_code else ()), *user.also_codes)


def _grouped(pairs: Iterable[tuple[str | None, int]]) -> dict[str, frozenset[int]]:
    grouped: dict[str, set[int]] = {}
    for value, user_id in pairs:
        if value:
            grouped.setdefault(value, set()).add(user_id)
    return {value: frozenset(user_ids) for value, user_ids in grouped.items()}


def _contact_changed(row: Row, before: Row | None) -> frozenset[Step]:
    if before is None:
        return frozenset()
    changed = {
        Step.EMAIL: before.match_email is not None and row.match_email != before.match_email,
        Step.PHONE: before.match_phone10 is not None and row.match_phone10 != before.match_phone10,
    }
    return frozenset(step for step, did in changed.items() if did)


def _newest(first: datetime | None, second: datetime | None) -> datetime | None:
    if first is None or second is None:
        return first or second
    return max(first, second)

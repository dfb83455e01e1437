"""Whose the bookings of a batch are: evidence looked up in sets, decided by `matching.rules`."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from zerkalo.bookings.merge_rules import masked
from zerkalo.bookings.model import MatchedBy, Row
from zerkalo.clients.model import Person
from zerkalo.clients.rules import is_other_person
from zerkalo.db.pool import Connection
from zerkalo.matching import store as matching
from zerkalo.matching.model import Contacts, Evidence, Link, Match, Step
from zerkalo.matching.rules import codes_in, decide_match, longest
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
        current = Link(row.user_id, Step(row.matched_by) if row.matched_by else None)
        match = decide_match(current, self._evidence(key, row, before))
        self._matches[key] = match
        link = match.link
        return replace(
            row,
            user_id=link.user_id,
            matched_by=MatchedBy(link.step) if link.step else None,
            matched_version=None,
            user_code=self._users[link.user_id].unique_code if link.user_id is not None else None,
        )

    async def remember_candidates(self, conn: Connection, ids: Mapping[Key, int], *, now: datetime) -> None:
        """Write between whom an admin must choose. A new booking with nobody to choose from costs nothing."""
        found = {
            ids[key]: match.candidates
            for key, match in self._matches.items()
            if match.candidates or self._rows[key].id is not None
        }
        await matching.replace_candidates(conn, found, now=now)

    def _evidence(self, key: Key, row: Row, before: Row | None) -> Evidence:
        known = [code for code in row.match_codes if code in self._by_code]
        # What the comment names has been learned; most comments name nobody, and reading them costs.
        now = set(codes_in(row.comment)) if known else set[str]()
        by_email, by_phone = row.match_email or "", row.match_phone10 or ""
        return Evidence(
            form_user_ids=self._form.get(key, frozenset()),
            code_user_ids=self._named(code for code in known if code in now),
            earlier_code_user_ids=self._named(known),
            contacts=Contacts(
                self._by_email.get(by_email, frozenset()), self._by_phone10.get(by_phone, frozenset())
            ),
            is_handing_over=_rests_on_contact(before) and is_other_person(_person(before), _person(row)),
        )

    def _named(self, codes: Iterable[str]) -> frozenset[int]:
        """Whom codes that are somebody's name."""
        return frozenset(self._by_code[code] for code in longest(set(codes)))


def _codes_of(user: MatchUser) -> tuple[str, ...]:
    return (*((user.unique_code,) if user.unique_code else ()), *user.also_codes)


def _grouped(pairs: Iterable[tuple[str | None, int]]) -> dict[str, frozenset[int]]:
    grouped: dict[str, set[int]] = {}
    for value, user_id in pairs:
        if value:
            grouped.setdefault(value, set()).add(user_id)
    return {value: frozenset(user_ids) for value, user_ids in grouped.items()}


def _rests_on_contact(row: Row | None) -> bool:
    return row is not None and row.matched_by in (MatchedBy.EMAIL, MatchedBy.PHONE)


def _person(row: Row | None) -> Person:
    return Person(row.match_phone10, row.match_email) if row is not None else Person()

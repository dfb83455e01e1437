"""Whose a booking may be: every link that the contract allows, from all that its record ever said and who proved what.

What is said last always counts. What was said before counts if we saw it, which a lost delivery may have prevented; so
several links may be right, and this names them all. Sticky links are those of `matching.rules`.
"""

from collections.abc import Iterable
from itertools import combinations
from typing import Any

from tests.simulation.salon import Seen
from tests.simulation.world import World

Choice = tuple[int | None, str | None]
"""(user, step)."""
NOBODY: Choice = (None, None)


class People:
    """Who is who in the end: merged accounts are the one they were merged into, erased ones are nobody."""

    def __init__(self, world: World, users: list[dict[str, Any]], retired: list[dict[str, Any]]) -> None:
        self._rows = {user["id"]: user for user in users}
        self._proofs = world.people.proofs
        self.by_code = {user["unique_code"]: user["id"] for user in users if user["unique_code"]}
        self.by_code |= {one["code"]: one["user_id"] for one in retired if one["user_id"] is not None}
        living = [user for user in users if user["erased_at"] is None]
        self._email_now = {
            user["email"].lower(): user["id"] for user in living if user["email_verified_at"] is not None
        }
        self._phone_now: dict[str, set[int]] = {}
        for user in living:
            if user["phone_verified_at"] is not None:
                self._phone_now.setdefault(user["phone10"], set()).add(user["id"])

    def living(self, user_id: int | None) -> int | None:
        """The account that stands for this one; None: there is none any more."""
        while user_id is not None:
            user = self._rows[user_id]
            if user["erased_at"] is None:
                return user_id
            user_id = user["merged_into"]
        return None

    def named(self, codes: Iterable[str]) -> frozenset[int]:
        """Whose codes these are."""
        found = (self.living(self.by_code.get(code)) for code in codes)
        return frozenset(one for one in found if one is not None)

    def by_email(self, email: str) -> tuple[int | None, set[int]]:
        """Who has proved it now, and who ever had."""
        return self._email_now.get(email), self._ever(self._proofs.emails.get(email, set()))

    def by_phone(self, phone10: str) -> tuple[set[int], set[int]]:
        """Who has proved it now, and who ever had."""
        return self._phone_now.get(phone10, set()), self._ever(self._proofs.phones.get(phone10, set()))

    def dishonest_proofs(self, users: list[dict[str, Any]]) -> list[str]:
        """Proofs that nobody gave: whoever is marked as proved must have read the code, or an account merged into hers."""
        honest = {(self.living(user_id), text) for user_id, text in self._proofs.honest}
        faults: list[str] = []
        for user in users:
            for contact, proved in (("email", "email_verified_at"), ("phone", "phone_verified_at")):
                if user[proved] is not None and (user["id"], user[contact]) not in honest:
                    faults.append(f"user {user['id']} proved her {contact}, and nobody knows how")
        return faults

    def _ever(self, user_ids: set[int]) -> set[int]:
        return {one for one in map(self.living, user_ids) if one is not None}


def link_faults(
    world: World,
    rows: list[dict[str, Any]],
    users: list[dict[str, Any]],
    retired: list[dict[str, Any]],
    forms: list[dict[str, Any]],
) -> list[str]:
    """Rows whose link is none of those allowed, or whose notes don't name the linked user's code."""
    people = People(world, users, retired)
    codes = {user["id"]: user["unique_code"] for user in users}
    faults = people.dishonest_proofs(users)
    for row in rows:
        if row["erased_at"] is not None:
            continue
        key = (row["company_id"], row["yclients_record_id"])
        states = world.salon.history.get(key)
        if states is None:
            continue  # a record that never was: `row_faults` says so
        form_users = _form_users(world, key, forms, people)
        allowed = _by_hand(world, key, people) or _by_form(form_users) or choices(states, people)
        link = (row["user_id"], row["matched_by"])
        if key not in world.salon.purged and link not in allowed:
            faults.append(f"{key} booking {row['id']} is linked {link}, allowed {sorted(allowed, key=str)}")
        code = codes.get(row["user_id"])
        if code and row["notes"].split("\n")[1:2] != [f"Код клиента: {code}"]:
            faults.append(f"{key}: the notes don't name the code of user {row['user_id']}")
    return faults


def choices(states: list[Seen], people: People) -> set[Choice]:
    """The links that a record with these states, last one last, may end with."""
    last = states[-1]
    allowed: set[Choice] = set()
    seconds = sorted({state.second for state in states if people.named(state.codes)}, reverse=True)
    for second in seconds:
        always = people.named(last.codes) if second == last.second else frozenset[int]()
        sometimes = [people.named(state.codes) for state in states if state.second == second]
        for group in _unions(always, sometimes):
            allowed.add((next(iter(group)), "code") if len(group) == 1 else NOBODY)
        if always:
            return allowed
    return allowed | _by_contacts(states, people)


def _by_contacts(states: list[Seen], people: People) -> set[Choice]:
    allowed: set[Choice] = set()
    for email, phone10 in _remembered(states):
        now, ever = people.by_email(email)
        if now is not None:
            allowed.add((now, "email"))
            continue
        allowed |= {(one, "email") for one in ever}
        allowed |= _by_phone(phone10, people)
    return allowed


def _by_phone(phone10: str, people: People) -> set[Choice]:
    now, ever = people.by_phone(phone10) if phone10 else (set[int](), set[int]())
    if not ever:
        return {NOBODY}
    if ever == now and len(now) == 1:
        return {(next(iter(now)), "phone")}
    # Of several who ever fitted, or who fit no more, one may have been linked while she was the only one.
    return {(one, "phone") for one in ever} | {NOBODY}


def _remembered(states: list[Seen]) -> set[tuple[str, str]]:
    """(e-mail, phone) that the row may remember: any of the states may have been missed, but the last."""
    memories = {("", "")}
    for state in states[:-1]:
        memories |= {_after(memory, state) for memory in memories}
    return {_after(memory, states[-1]) for memory in memories}


def _after(memory: tuple[str, str], state: Seen) -> tuple[str, str]:
    """What is shown counts; what is shown empty is kept, unless the other contact tells of another person."""
    email, phone10 = memory
    is_other = (state.email not in ("", email), state.phone10 not in ("", phone10))
    return (
        state.email or ("" if is_other[1] else email),
        state.phone10 or ("" if is_other[0] else phone10),
    )


def _unions(always: frozenset[int], sometimes: list[frozenset[int]]) -> set[frozenset[int]]:
    several = {one for one in sometimes if one}
    unions = {
        always.union(*chosen) for size in range(len(several) + 1) for chosen in combinations(several, size)
    }
    return {one for one in unions if one}


def _form_users(
    world: World, key: tuple[int, int], forms: list[dict[str, Any]], people: People
) -> frozenset[int]:
    record = world.emulator.vendor.records[key[0]].get(key[1])
    found = {
        people.living(one["user_id"])
        for one in forms
        if (one["company_id"], one["record_id"]) == key or (record and one["api_id"] == record.api_id)
    }
    return frozenset(one for one in found if one is not None)


def _by_hand(world: World, key: tuple[int, int], people: People) -> set[Choice]:
    """What an admin said stays: of an account that was merged, for the one that stands for it."""
    if key not in world.people.hand_links:
        return set()
    user_id = world.people.hand_links[key]
    return {(people.living(user_id), "manual")}


def _by_form(users: frozenset[int]) -> set[Choice]:
    return {(next(iter(users)), "form")} if len(users) == 1 else set()

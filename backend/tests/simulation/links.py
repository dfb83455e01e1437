"""Whose a booking may be: the law of contract 5, judged from all that its record ever said and who proved what.

Links tell of our own past: what was shown counts only if we saw it, and whoever once held a visit keeps it. So not one
link is right but several, and a link is wrong where nothing that was ever shown of the record speaks for it: by a code,
by a contact of its cards that the user has proved, by a form booking of theirs, by an admin's word. One thing must be
seen: a code of the one user whom the comments ever named, in a record that was never given to another person's card.
"""

from collections.abc import Iterable
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
        link = (row["user_id"], row["matched_by"])
        by_hand = _by_hand(world, key, people)
        allowed = by_hand or choices(states, _contacts_of(world, key[0], states), form_users, people)
        if key not in world.salon.purged and link not in allowed:
            faults.append(f"{key} booking {row['id']} is linked {link}, allowed {sorted(allowed, key=str)}")
        must = None if by_hand or row["handed_over"] else _must_have(world, key, states, form_users, people)
        if must is not None and row["user_id"] != must:
            faults.append(
                f"{key} booking {row['id']} is linked {link}, but its comment names user {must} alone"
            )
        code = codes.get(row["user_id"])
        if code and row["notes"].split("\n")[1:2] != [f"Код клиента: {code}"]:
            faults.append(f"{key}: the notes don't name the code of user {row['user_id']}")
    return faults


def choices(
    states: list[Seen], contacts: set[tuple[str, str]], form_users: frozenset[int], people: People
) -> set[Choice]:
    """The links that something in a record with these states, and on cards with these contacts, speaks for."""
    allowed: set[Choice] = {NOBODY}
    allowed |= {(one, "form") for one in form_users}
    for state in states:
        allowed |= {(one, "code") for one in people.named(state.codes)}
    for email, phone10 in contacts:
        if email:
            now, ever = people.by_email(email)
            allowed |= {(one, "email") for one in (ever if now is None else {*ever, now})}
        if phone10:
            now_by_phone, ever_by_phone = people.by_phone(phone10)
            allowed |= {(one, "phone") for one in now_by_phone | ever_by_phone}
    return allowed


def _contacts_of(world: World, company_id: int, states: list[Seen]) -> set[tuple[str, str]]:
    """Every contact of the record's cards: an empty one teaches nothing, so an earlier one of the card may count.

    Cards of one phone are one person's: YCLIENTS merges them, and what was seen of the one is known of the other.
    """
    found = {
        contact
        for state in states
        for contact in world.salon.cards.get((company_id, state.client_id or 0), ())
    }
    found |= {(state.email, state.phone10) for state in states}
    phones = {phone10 for _, phone10 in found if phone10}
    for (company, _), contacts in world.salon.cards.items():
        if company == company_id and phones & {phone10 for _, phone10 in contacts}:
            found |= contacts
    return found


def _must_have(
    world: World, key: tuple[int, int], states: list[Seen], form_users: frozenset[int], people: People
) -> int | None:
    """The one user whom the record names beyond doubt; None: nobody, or not beyond doubt."""
    record = world.emulator.vendor.records[key[0]].get(key[1])
    if record is None or record.client_id is None:
        return None
    ever = frozenset[int]().union(*(people.named(state.codes) for state in states)) | form_users
    if len(ever) != 1 or people.named(states[-1].codes) != ever:
        return None
    (user_id,) = ever
    return user_id


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

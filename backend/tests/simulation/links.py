"""Whose a booking may be: the law of contract 5, judged from all that its record ever said and who proved what.

Links tell of our own past: what was shown counts only if we saw it, and whoever once held a visit keeps it. So not one
link is right but several, and a link is wrong where nothing that was ever shown of the record speaks for it: by a code,
by a contact of its cards that the user has proved, by a form booking of theirs, by an admin's word about it or its card.
Whoever only knows somebody's phone holds nothing but what they booked in our form. A link passes from one person to
another only where the history says why. And some must be seen: a code of the one user whom the comments ever named in a
record that was never handed over, a card that an admin gave, contacts that name one person alone.
"""

from collections.abc import Iterable
from typing import Any

from tests.simulation.salon import Seen
from tests.simulation.world import World

STRENGTH = {"manual": 7, "form": 6, "code": 5, "import": 4, "card": 3, "email": 2, "phone": 1, None: 0}
"""The order of contract 5."""
Choice = tuple[int | None, str | None]
"""(user, step)."""
NOBODY: Choice = (None, None)


class People:
    """Who is who in the end: merged accounts are the one they were merged into, erased ones are nobody."""

    def __init__(self, world: World, users: list[dict[str, Any]], retired: list[dict[str, Any]]) -> None:
        self._rows = {user["id"]: user for user in users}
        self._proofs = world.people.proofs
        self.counts_alone = world.plan.settings.match_email_alone
        """Whether the salon lets an e-mail count without the phone."""
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

    def by_email(self, email: str) -> tuple[set[int], set[int]]:
        """Who has proved it now, and who ever had."""
        now = self._email_now.get(email)
        return set() if now is None else {now}, self._ever(self._proofs.emails.get(email, set()))

    def by_phone(self, phone10: str) -> tuple[set[int], set[int]]:
        """Who has proved it now, and who ever had."""
        return self._phone_now.get(phone10, set()), self._ever(self._proofs.phones.get(phone10, set()))

    def now_by_phone(self, phone: str) -> set[int]:
        """Who has proved this whole number, with its country."""
        return {one for one in self._phone_now.get(phone[-10:], set()) if self._rows[one]["phone"] == phone}

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
    cards: list[dict[str, Any]],
    events: list[dict[str, Any]],
) -> list[str]:
    """Rows whose link is none of those allowed, or whose notes don't name the linked user's code."""
    people = People(world, users, retired)
    codes = {user["id"]: user["unique_code"] for user in users}
    cards_by_key = {(card["company_id"], card["client_id"]): card for card in cards}
    faults = people.dishonest_proofs(users) + passing_faults(rows, events, people)
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
        contacts = _contacts_of(world, key[0], states)
        allowed = by_hand or choices(states, contacts, form_users, people)
        allowed |= set() if by_hand else _by_card(world, key[0], states, people)
        if key not in world.salon.purged and link not in allowed:
            faults.append(f"{key} booking {row['id']} is linked {link}, allowed {sorted(allowed, key=str)}")
        must = None if by_hand or row["handed_over"] else _must_have(world, key, states, form_users, people)
        if must is not None and row["user_id"] != must:
            faults.append(
                f"{key} booking {row['id']} is linked {link}, but its comment names user {must} alone"
            )
        attack = _is_stolen(world, key, row, states, form_users)
        faults += [f"{key} booking {row['id']} is an attacker's: {link}"] if attack else []
        one = _fits_alone(row, cards_by_key.get((key[0], row["client_id"])), form_users, people)
        if one is not None and row["user_id"] is None and not by_hand:
            faults.append(f"{key} booking {row['id']} is nobody's, but its card is user {one}'s")
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
    with_phone = set[int]().union(*(_ever(people.by_phone(phone10)) for _, phone10 in contacts if phone10))
    for email, phone10 in contacts:
        if email:
            named = _ever(people.by_email(email))
            allowed |= {(one, "email") for one in named if people.counts_alone or one in with_phone}
        if phone10:
            allowed |= {(one, "phone") for one in _ever(people.by_phone(phone10))}
    return allowed


def _ever(now_and_ever: tuple[set[int], set[int]]) -> set[int]:
    now, ever = now_and_ever
    return now | ever


def passing_faults(rows: list[dict[str, Any]], events: list[dict[str, Any]], people: People) -> list[str]:
    """Links that went from one person to another without a reason, by the history that is kept of each booking.

    Reasons: stronger evidence; another code in the comment; the record was handed over; a card was taken back; the
    accounts were merged, or the first one erased.
    """
    handed_over = {row["id"] for row in rows if row["handed_over"]}
    faults: list[str] = []
    for event in events:
        if event["kind"] != "link":
            continue
        before, after = event["before"] or {}, event["after"] or {}
        was, by, then = before.get("user_id"), before.get("matched_by"), after.get("matched_by")
        if (
            was is None
            or after["user_id"] == was
            or people.living(was) in (None, people.living(after["user_id"]))
        ):
            continue
        stronger = STRENGTH[then] > STRENGTH[by] or by == then == "code" or then == "manual"
        if not (stronger or event["booking_id"] in handed_over or by == "card"):
            faults.append(f"booking {event['booking_id']} went from {before} to {after}")
    return faults


def _fits_alone(
    row: dict[str, Any], card: dict[str, Any] | None, form_users: frozenset[int], people: People
) -> int | None:
    """Whom a booking that no user has must belong to: the card is theirs by an admin's word or by proved contacts.

    None: nobody, or there is evidence of other kinds, which may contradict it.
    """
    if card is None or row["matched_by"] is not None or row["match_codes"] or form_users:
        return None
    if card["user_id"] is not None:
        return people.living(card["user_id"])
    by_phone = people.now_by_phone(card["phone"] or "")
    by_email = people.by_email(card["email"])[0] if card["email"] else set[int]()
    if by_phone and by_email:
        return next(iter(by_phone & by_email)) if len(by_phone & by_email) == 1 else None
    if not by_phone and (card["email_came_late"] or not people.counts_alone):
        return None
    found = by_phone | by_email
    return next(iter(found)) if len(found) == 1 else None


def _by_card(world: World, company_id: int, states: list[Seen], people: People) -> set[Choice]:
    """By the cards that an admin ever gave: of the record, or of others with a phone of theirs (merged cards)."""
    phones = {phone10 for _, phone10 in _contacts_of(world, company_id, states) if phone10}
    own = {state.client_id for state in states}
    given: set[Choice] = set()
    for (company, client_id), user_id in world.people.given_cards:
        contacts = world.salon.cards.get((company, client_id), set())
        if company == company_id and (client_id in own or phones & {phone10 for _, phone10 in contacts}):
            given.add((people.living(user_id), "card"))
    return given


def _is_stolen(
    world: World, key: tuple[int, int], row: dict[str, Any], states: list[Seen], form_users: frozenset[int]
) -> bool:
    """Whether an attacker holds a visit that they did not book in our form, on a card that we knew before them."""
    attackers = world.people.attackers
    if not attackers.is_one(row["user_id"]) or row["user_id"] in form_users:
        return False
    return not any((key[0], state.client_id) in attackers.named_first for state in states)


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

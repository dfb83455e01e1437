"""The law of contract 5 on the rules alone, over any history of people, cards, bookings and deliveries.

Whoever only knows somebody's phone, e-mail or booking number gets no visit that they didn't make; and who once held a
visit keeps it until stronger or newer evidence about that visit says otherwise.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from zerkalo.bookings.model import MatchedBy
from zerkalo.clients.model import Card, Sight, card_after, is_email_late, is_other_person, joined, person_of
from zerkalo.kit.phone import same_phone
from zerkalo.matching.model import STRENGTH, Contacts, Evidence, Link, Match
from zerkalo.matching.rules import decide_match

ANNA, VERA, STRANGER = 1, 2, 3
PEOPLE = (ANNA, VERA, STRANGER)
PHONES = {ANNA: "+79161234561", VERA: "+79161234562", STRANGER: "+919161234561"}
"""Anna's and the stranger's end alike, in two countries."""
EMAILS = {person: f"person{person}@salon.test" for person in PEOPLE}
SEEN_AT = datetime(2026, 11, 3, tzinfo=UTC)
people = st.sampled_from(PEOPLE)
residents = st.sampled_from((ANNA, VERA))


@dataclass(slots=True)
class Visit:
    """A record of YCLIENTS, and what we hold of it.

    `of`: who made it, or whom the salon gave it to; `booked_by`: whose form booking it is; `code`: whose code its
    comment names.
    """

    of: int
    client_id: int
    booked_by: int | None = None
    code: int | None = None
    of_known: int | None = None
    codes_seen: set[int] = field(default_factory=set[int])
    client_known: int | None = None
    code_known: int | None = None
    version: int = 0
    version_known: int = -1
    is_handed_over: bool = False
    match: Match = field(default_factory=lambda: Match(Link()))


@dataclass(frozen=True, slots=True)
class Call:
    """A webhook on its way: what the record showed when it was sent."""

    visit: int
    version: int
    of: int
    client_id: int
    phone: str
    email: str
    code: int | None


class Salon(RuleBasedStateMachine):
    """YCLIENTS with its cards, and our mirror of it, which calls reach late and in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.phones: dict[int, str] = {}
        """YCLIENTS's cards: client id -> phone, e-mail."""
        self.emails: dict[int, str] = {}
        self.cards: dict[int, Card] = {}
        self.visits: list[Visit] = []
        self.calls: list[Call] = []
        self.observation = 0
        self.owner = dict(PHONES)
        """Whose number is whose."""
        self.proved_email: dict[str, int] = {}
        self.proved_phone: dict[str, int] = {}
        self.alone = True

    @initialize(emails=st.sets(residents), proved=st.sets(residents), alone=st.booleans())
    def the_mirror_knows_the_cards(self, emails: set[int], proved: set[int], alone: bool) -> None:
        """Each person has a card of their own, seen before anybody attacks; the stranger has proved what is theirs."""
        self.alone = alone
        for person in (STRANGER, *proved):
            self.proved_email[EMAILS[person]] = self.proved_phone[PHONES[person]] = person
        for person in PEOPLE:
            self.phones[person] = PHONES[person]
            self.emails[person] = EMAILS[person] if person in emails else ""
            self._teach(person, self.phones[person], self.emails[person])

    @rule(
        by=people,
        phone_of=residents,
        online=st.booleans(),
        code=st.booleans(),
        through_form=st.booleans(),
        late=st.booleans(),
    )
    def books(self, by: int, phone_of: int, online: bool, code: bool, through_form: bool, late: bool) -> None:
        """A resident books for themself; the stranger online with a resident's phone.

        YCLIENTS finds the card by the phone, and writes on it the e-mail of whoever books online.
        """
        client_id = self._card_of(self.owner[phone_of if by == STRANGER else by])
        if by == STRANGER or online:
            self.emails[client_id] = EMAILS[by]
        visit = Visit(by, client_id, by if through_form else None, by if code else None)
        self.visits.append(visit)
        self._changed(visit, late=late)

    @rule(person=residents, phone=st.booleans())
    def proves_a_contact(self, person: int, phone: bool) -> None:
        if phone:
            self.proved_phone[self.owner[person]] = person
        else:
            self.proved_email[EMAILS[person]] = person
        self._rematch()

    @rule()
    def two_numbers_change_hands(self) -> None:
        self.owner[ANNA], self.owner[VERA] = self.owner[VERA], self.owner[ANNA]

    @rule(person=residents)
    def a_number_is_used_by_whoever_has_it_now(self, person: int) -> None:
        self.proves_a_contact(person, phone=True)
        self.proves_a_contact(person, phone=False)
        self.books(person, person, online=True, code=False, through_form=False, late=False)

    @rule(pick=st.integers(0, 9), person=st.none() | residents, late=st.booleans())
    def a_comment_is_edited(self, pick: int, person: int | None, late: bool) -> None:
        for visit in self._picked(pick):
            visit.code = person
            self._changed(visit, late=late)

    @rule(pick=st.integers(0, 9), person=residents, late=st.booleans())
    def the_salon_hands_a_visit_over(self, pick: int, person: int, late: bool) -> None:
        """Of a change that we never saw nobody could know: the mirror had seen whose it was."""
        for visit in self._picked(pick):
            client_id = self._card_of(PHONES[person])
            is_other = self.phones[visit.client_id] != self.phones[client_id]
            if is_other and visit.client_known == visit.client_id:
                visit.client_id, visit.of = client_id, person
                self._changed(visit, late=late)

    @rule(person=residents)
    def two_cards_are_merged(self, person: int) -> None:
        """The visits of one card go to a new one with the same phone; by one that we know we learn of it."""
        old, new = self._card_of(PHONES[person]), len(self.phones) + 1
        moved = [visit for visit in self.visits if visit.client_id == old]
        moved.sort(key=lambda visit: visit.client_known != old)
        if any(visit.client_known == old for visit in moved):
            self.phones[new], self.emails[new] = self.phones[old], self.emails[old]
            for visit in moved:
                visit.client_id = new
                self._changed(visit, late=False)

    @rule(person=residents)
    def an_admin_gives_a_card(self, person: int) -> None:
        client_id = self._card_of(PHONES[person])
        if client_id in self.cards:
            self.cards[client_id] = replace(self.cards[client_id], user_id=person)
        self._rematch()

    @rule(pick=st.integers(0, 9))
    def a_call_arrives(self, pick: int) -> None:
        if self.calls:
            self._take(self.calls.pop(pick % len(self.calls)))

    @invariant()
    def the_stranger_holds_only_visits_of_their_own(self) -> None:
        for visit in self.visits:
            assert visit.match.link.user_id != STRANGER or visit.of_known == STRANGER

    def _changed(self, visit: Visit, *, late: bool) -> None:
        """The vendor's record is another one now; we are called at once, or some time later."""
        visit.version += 1
        number = self.visits.index(visit)
        phone, email = self.phones[visit.client_id], self.emails[visit.client_id]
        call = Call(number, visit.version, visit.of, visit.client_id, phone, email, visit.code)
        self.calls.append(call)
        if not late:
            self._take(self.calls.pop())

    def _take(self, call: Call) -> None:
        """What the mirror does with a call."""
        visit = self.visits[call.visit]
        if call.version <= visit.version_known:
            if call.client_id == visit.client_known and not visit.is_handed_over and call.code is not None:
                visit.codes_seen.add(call.code)
                self._decide(visit)
            return
        before, visit.version_known = visit.client_known, call.version
        self._teach(call.client_id, call.phone, call.email)
        visit.client_known, visit.code_known, visit.of_known = call.client_id, call.code, call.of
        is_handing_over = False
        if before is not None and before != call.client_id:
            old, new = self.cards[before], self.cards[call.client_id]
            is_handing_over = is_other_person(person_of(old), person_of(new))
            if not is_handing_over:
                self.cards[call.client_id] = joined(new, old)
        visit.is_handed_over = visit.is_handed_over or is_handing_over
        if call.code is not None:
            visit.codes_seen.add(call.code)
        self._decide(visit, is_handing_over=is_handing_over)
        self._rematch()

    def _teach(self, client_id: int, phone: str, email: str) -> None:
        self.observation += 1
        sight = Sight(
            company_id=1,
            client_id=client_id,
            observation=self.observation,
            seen_at=SEEN_AT,
            phone=phone,
            email=email,
        )
        self.cards[client_id] = card_after(self.cards.get(client_id), sight)

    def _rematch(self) -> None:
        for visit in self.visits:
            if visit.client_known is not None:
                self._decide(visit)

    def _decide(self, visit: Visit, *, is_handing_over: bool = False) -> None:
        assert visit.client_known is not None, "it was shown"
        card = self.cards[visit.client_known]
        phone, email = card.phone or "", card.email or ""
        contacts = Contacts(
            frozenset({self.proved_email[email]} if email in self.proved_email else ()),
            frozenset(user for key, user in self.proved_phone.items() if same_phone(key, phone)),
            is_email_late(card),
        )
        evidence = Evidence(
            form_user_ids=frozenset({visit.booked_by} if visit.booked_by is not None else ()),
            code_user_ids=frozenset({visit.code_known} if visit.code_known is not None else ()),
            earlier_code_user_ids=frozenset(visit.codes_seen),
            card_user_id=card.user_id,
            contacts=contacts,
            is_handed_over=visit.is_handed_over,
            is_handing_over=is_handing_over,
        )
        held = visit.match.link
        visit.match = decide_match(held, evidence, email_counts_alone=self.alone)
        _check(held, visit.match.link, evidence)

    def _card_of(self, phone: str) -> int:
        return max(client_id for client_id, of_card in self.phones.items() if of_card == phone)

    def _picked(self, pick: int) -> list[Visit]:
        return [self.visits[pick % len(self.visits)]] if self.visits else []


def _check(held: Link, link: Link, evidence: Evidence) -> None:
    """Who held a visit keeps it, but for what the contract names."""
    if held.user_id is None or link.user_id == held.user_id:
        return
    is_newer_comment = link.step is MatchedBy.CODE and link.user_id in evidence.code_user_ids
    # A late e-mail counts only together with the phone, which may have changed hands.
    is_by_late_email = link.step is MatchedBy.EMAIL and evidence.contacts.email_is_late
    is_stronger = STRENGTH[link.step] > STRENGTH[held.step] and not (
        is_by_late_email and held.step is MatchedBy.PHONE
    )
    assert evidence.is_handing_over or is_newer_comment or is_stronger
    if evidence.is_handing_over:
        assert link.step in (None, MatchedBy.CARD, MatchedBy.EMAIL, MatchedBy.PHONE)


Salon.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
TestSalon = Salon.TestCase

"""Whose booking: contract, section 5, a line each."""

import pytest

from zerkalo.bookings.model import MatchedBy
from zerkalo.matching.model import Candidate, Contacts, Evidence, Link, Match, Reason
from zerkalo.matching.rules import decide_match

ANNA, VERA, OLGA = 1, 2, 3
NOBODY = Link()


def found(
    *, form=(), codes=(), earlier=(), card=None, email=(), phone=(), late=False, given=False, giving=False
) -> Evidence:
    contacts = Contacts(frozenset(email), frozenset(phone), late)
    return Evidence(frozenset(form), frozenset(codes), frozenset(earlier), card, contacts, given, giving)


def rivals(step: MatchedBy, *user_ids: int) -> frozenset[Candidate]:
    return frozenset(Candidate(user_id, step, Reason.RIVALS) for user_id in user_ids)


def only(user_id: int, step: MatchedBy, reason: Reason) -> frozenset[Candidate]:
    return frozenset({Candidate(user_id, step, reason)})


@pytest.mark.parametrize(
    ("evidence", "link"),
    [
        (found(), NOBODY),
        (found(phone=[ANNA]), Link(ANNA, MatchedBy.PHONE)),
        (found(email=[ANNA]), Link(ANNA, MatchedBy.EMAIL)),
        (found(email=[ANNA], phone=[ANNA]), Link(ANNA, MatchedBy.EMAIL)),
        (found(card=ANNA), Link(ANNA, MatchedBy.CARD)),
        (found(codes=[ANNA]), Link(ANNA, MatchedBy.CODE)),
        (found(earlier=[ANNA]), Link(ANNA, MatchedBy.CODE)),
        (found(form=[ANNA]), Link(ANNA, MatchedBy.FORM)),
        # The first hit wins
        (found(phone=[OLGA], email=[VERA], card=ANNA), Link(ANNA, MatchedBy.CARD)),
        (found(phone=[OLGA], email=[VERA], card=VERA, codes=[ANNA]), Link(ANNA, MatchedBy.CODE)),
        (found(phone=[OLGA], email=[VERA], codes=[VERA], form=[ANNA]), Link(ANNA, MatchedBy.FORM)),
        # The comment speaks as it stands
        (found(earlier=[ANNA], codes=[VERA]), Link(VERA, MatchedBy.CODE)),
        # Of a family that shares a phone, the e-mail names one
        (found(email=[ANNA], phone=[ANNA, VERA]), Link(ANNA, MatchedBy.EMAIL)),
        # A late e-mail counts together with the phone
        (found(email=[ANNA], phone=[ANNA], late=True), Link(ANNA, MatchedBy.EMAIL)),
    ],
)
def test_a_new_booking_belongs_to_the_first_hit(evidence: Evidence, link: Link) -> None:
    assert decide_match(NOBODY, evidence) == Match(link)


@pytest.mark.parametrize(
    ("evidence", "candidates"),
    [
        (found(phone=[ANNA, VERA]), rivals(MatchedBy.PHONE, ANNA, VERA)),
        (found(codes=[ANNA, VERA]), rivals(MatchedBy.CODE, ANNA, VERA)),
        (
            found(codes=[ANNA, VERA], card=OLGA, email=[OLGA], phone=[OLGA]),
            rivals(MatchedBy.CODE, ANNA, VERA),
        ),
        (found(earlier=[ANNA, VERA]), rivals(MatchedBy.CODE, ANNA, VERA)),
        (found(form=[ANNA, VERA], codes=[OLGA]), rivals(MatchedBy.FORM, ANNA, VERA)),
        # Contacts that name two people
        (found(email=[ANNA], phone=[VERA]), rivals(MatchedBy.EMAIL, ANNA) | rivals(MatchedBy.PHONE, VERA)),
        (
            found(email=[ANNA], phone=[VERA], late=True),
            rivals(MatchedBy.EMAIL, ANNA) | rivals(MatchedBy.PHONE, VERA),
        ),
        # An e-mail that came late, or that does not count alone
        (found(email=[ANNA], late=True), only(ANNA, MatchedBy.EMAIL, Reason.LATE_EMAIL)),
    ],
)
def test_evidence_that_settles_nothing_links_nobody(
    evidence: Evidence, candidates: frozenset[Candidate]
) -> None:
    assert decide_match(NOBODY, evidence) == Match(NOBODY, candidates)


def test_an_email_counts_only_with_the_phone_where_the_salon_says_so() -> None:
    alone = decide_match(NOBODY, found(email=[ANNA]), email_counts_alone=False)
    with_phone = decide_match(NOBODY, found(email=[ANNA], phone=[ANNA]), email_counts_alone=False)

    assert alone == Match(NOBODY, only(ANNA, MatchedBy.EMAIL, Reason.EMAIL_ALONE))
    assert with_phone == Match(Link(ANNA, MatchedBy.EMAIL))


@pytest.mark.parametrize(
    ("held", "evidence", "link"),
    [
        # A stronger link replaces a weaker one
        (Link(ANNA, MatchedBy.PHONE), found(email=[VERA]), Link(VERA, MatchedBy.EMAIL)),
        (Link(ANNA, MatchedBy.EMAIL), found(card=VERA), Link(VERA, MatchedBy.CARD)),
        (Link(ANNA, MatchedBy.CARD), found(codes=[VERA]), Link(VERA, MatchedBy.CODE)),
        (Link(ANNA, MatchedBy.IMPORT), found(codes=[VERA]), Link(VERA, MatchedBy.CODE)),
        (Link(ANNA, MatchedBy.IMPORT), found(earlier=[VERA]), Link(VERA, MatchedBy.CODE)),
        (Link(ANNA, MatchedBy.CODE), found(form=[VERA]), Link(VERA, MatchedBy.FORM)),
        (Link(ANNA, None), found(phone=[VERA]), Link(VERA, MatchedBy.PHONE)),
        (Link(ANNA, MatchedBy.PHONE), found(email=[ANNA], phone=[ANNA]), Link(ANNA, MatchedBy.EMAIL)),
        # never the reverse
        (Link(ANNA, MatchedBy.EMAIL), found(phone=[VERA]), Link(ANNA, MatchedBy.EMAIL)),
        (Link(ANNA, MatchedBy.CARD), found(card=ANNA, email=[VERA]), Link(ANNA, MatchedBy.CARD)),
        (Link(ANNA, MatchedBy.IMPORT), found(card=VERA), Link(ANNA, MatchedBy.IMPORT)),
        (Link(ANNA, MatchedBy.CODE), found(card=VERA), Link(ANNA, MatchedBy.CODE)),
        (Link(ANNA, MatchedBy.FORM), found(codes=[VERA]), Link(ANNA, MatchedBy.FORM)),
        # A number or an address that changes hands takes no past along
        (Link(ANNA, MatchedBy.PHONE), found(phone=[VERA]), Link(ANNA, MatchedBy.PHONE)),
        (
            Link(ANNA, MatchedBy.PHONE),
            found(email=[VERA], phone=[VERA], late=True),
            Link(ANNA, MatchedBy.PHONE),
        ),
        (
            Link(ANNA, MatchedBy.PHONE),
            found(email=[VERA], phone=[ANNA, VERA], late=True),
            Link(ANNA, MatchedBy.PHONE),
        ),
        (Link(ANNA, MatchedBy.EMAIL), found(email=[VERA]), Link(ANNA, MatchedBy.EMAIL)),
        (Link(ANNA, MatchedBy.CARD), found(card=VERA), Link(ANNA, MatchedBy.CARD)),
        (Link(ANNA, MatchedBy.FORM), found(form=[VERA]), Link(ANNA, MatchedBy.FORM)),
        # Of equal strength only a code in the comment as it stands
        (Link(ANNA, MatchedBy.CODE), found(codes=[VERA]), Link(VERA, MatchedBy.CODE)),
        (Link(ANNA, MatchedBy.CODE), found(earlier=[VERA]), Link(ANNA, MatchedBy.CODE)),
        # A comment that names nobody undoes nothing, and so does a contact that is nobody's
        (Link(ANNA, MatchedBy.CODE), found(), Link(ANNA, MatchedBy.CODE)),
        (Link(ANNA, MatchedBy.EMAIL), found(), Link(ANNA, MatchedBy.EMAIL)),
        # A card that an admin took back gives nothing any more
        (Link(ANNA, MatchedBy.CARD), found(), NOBODY),
        (Link(ANNA, MatchedBy.CARD), found(phone=[VERA]), Link(VERA, MatchedBy.PHONE)),
        # What an admin decided stays, also that it is nobody's
        (Link(ANNA, MatchedBy.MANUAL), found(form=[VERA], giving=True), Link(ANNA, MatchedBy.MANUAL)),
        (Link(None, MatchedBy.MANUAL), found(form=[VERA]), Link(None, MatchedBy.MANUAL)),
    ],
)
def test_a_link_that_stands_gives_way_only_to_a_stronger_one_or_a_newer_comment(
    held: Link, evidence: Evidence, link: Link
) -> None:
    assert decide_match(held, evidence) == Match(link)


@pytest.mark.parametrize(
    ("held", "evidence"),
    [
        (Link(ANNA, MatchedBy.FORM), found(codes=[VERA, OLGA])),
        (Link(ANNA, MatchedBy.CODE), found(codes=[ANNA, OLGA])),
        (Link(ANNA, MatchedBy.EMAIL), found(codes=[VERA, OLGA])),
        (Link(ANNA, MatchedBy.EMAIL), found(phone=[VERA, OLGA])),
        (Link(ANNA, MatchedBy.PHONE), found(phone=[ANNA, OLGA])),
        (Link(ANNA, MatchedBy.PHONE), found(email=[OLGA], phone=[ANNA])),
        (Link(ANNA, MatchedBy.EMAIL), found(email=[ANNA], phone=[OLGA])),
    ],
)
def test_evidence_that_settles_nothing_undoes_nothing(held: Link, evidence: Evidence) -> None:
    match = decide_match(held, evidence)

    assert match.link == held
    assert len(match.candidates) == 2


@pytest.mark.parametrize(
    "step",
    [MatchedBy.FORM, MatchedBy.CODE, MatchedBy.IMPORT, MatchedBy.CARD, MatchedBy.EMAIL, MatchedBy.PHONE],
)
def test_a_booking_that_is_handed_over_leaves_its_holder_a_candidate(step: MatchedBy) -> None:
    match = decide_match(Link(ANNA, step), found(giving=True, given=True))

    assert match == Match(NOBODY, only(ANNA, step, Reason.HANDED_OVER))


def test_a_booking_that_is_handed_over_goes_by_the_new_clients_card_and_contacts() -> None:
    held = Link(ANNA, MatchedBy.CODE)
    former = only(ANNA, MatchedBy.CODE, Reason.HANDED_OVER)

    by_phone = decide_match(held, found(codes=[ANNA], phone=[VERA], giving=True, given=True))
    by_card = decide_match(held, found(codes=[ANNA], card=VERA, giving=True, given=True))
    back = decide_match(held, found(codes=[ANNA], phone=[ANNA], giving=True, given=True))

    assert by_phone == Match(Link(VERA, MatchedBy.PHONE), former)
    assert by_card == Match(Link(VERA, MatchedBy.CARD), former)
    assert back == Match(Link(ANNA, MatchedBy.PHONE))


def test_codes_and_forms_never_count_again_once_a_booking_was_handed_over() -> None:
    match = decide_match(NOBODY, found(form=[ANNA], codes=[VERA], given=True))

    assert match.link == NOBODY
    assert match.candidates == only(ANNA, MatchedBy.FORM, Reason.HANDED_OVER) | only(
        VERA, MatchedBy.CODE, Reason.HANDED_OVER
    )

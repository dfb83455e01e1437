"""Whose booking: contract, section 5, a line each."""

import pytest

from zerkalo.matching.model import Candidate, Contacts, Evidence, Link, Match, Reason, Step
from zerkalo.matching.rules import decide_match

ANNA, VERA, OLGA = 1, 2, 3
NOBODY = Link()


def found(
    *, form=(), codes=(), earlier=(), card=None, email=(), phone=(), late=False, given=False, giving=False
) -> Evidence:
    contacts = Contacts(frozenset(email), frozenset(phone), late)
    return Evidence(frozenset(form), frozenset(codes), frozenset(earlier), card, contacts, given, giving)


def rivals(step: Step, *user_ids: int) -> frozenset[Candidate]:
    return frozenset(Candidate(user_id, step, Reason.RIVALS) for user_id in user_ids)


def only(user_id: int, step: Step, reason: Reason) -> frozenset[Candidate]:
    return frozenset({Candidate(user_id, step, reason)})


@pytest.mark.parametrize(
    ("evidence", "link"),
    [
        (found(), NOBODY),
        (found(phone=[ANNA]), Link(ANNA, Step.PHONE)),
        (found(email=[ANNA]), Link(ANNA, Step.EMAIL)),
        (found(email=[ANNA], phone=[ANNA]), Link(ANNA, Step.EMAIL)),
        (found(card=ANNA), Link(ANNA, Step.CARD)),
        (found(codes=[ANNA]), Link(ANNA, Step.CODE)),
        (found(earlier=[ANNA]), Link(ANNA, Step.CODE)),
        (found(form=[ANNA]), Link(ANNA, Step.FORM)),
        # The first hit wins
        (found(phone=[OLGA], email=[VERA], card=ANNA), Link(ANNA, Step.CARD)),
        (found(phone=[OLGA], email=[VERA], card=VERA, codes=[ANNA]), Link(ANNA, Step.CODE)),
        (found(phone=[OLGA], email=[VERA], codes=[VERA], form=[ANNA]), Link(ANNA, Step.FORM)),
        # The comment speaks as it stands
        (found(earlier=[ANNA], codes=[VERA]), Link(VERA, Step.CODE)),
        # Of a family that shares a phone, the e-mail names one
        (found(email=[ANNA], phone=[ANNA, VERA]), Link(ANNA, Step.EMAIL)),
        # A late e-mail counts together with the phone
        (found(email=[ANNA], phone=[ANNA], late=True), Link(ANNA, Step.EMAIL)),
    ],
)
def test_a_new_booking_belongs_to_the_first_hit(evidence: Evidence, link: Link) -> None:
    assert decide_match(NOBODY, evidence) == Match(link)


@pytest.mark.parametrize(
    ("evidence", "candidates"),
    [
        (found(phone=[ANNA, VERA]), rivals(Step.PHONE, ANNA, VERA)),
        (found(codes=[ANNA, VERA]), rivals(Step.CODE, ANNA, VERA)),
        (found(codes=[ANNA, VERA], card=OLGA, email=[OLGA], phone=[OLGA]), rivals(Step.CODE, ANNA, VERA)),
        (found(earlier=[ANNA, VERA]), rivals(Step.CODE, ANNA, VERA)),
        (found(form=[ANNA, VERA], codes=[OLGA]), rivals(Step.FORM, ANNA, VERA)),
        # Contacts that name two people
        (found(email=[ANNA], phone=[VERA]), rivals(Step.EMAIL, ANNA) | rivals(Step.PHONE, VERA)),
        (found(email=[ANNA], phone=[VERA], late=True), rivals(Step.EMAIL, ANNA) | rivals(Step.PHONE, VERA)),
        # An e-mail that came late, or that does not count alone
        (found(email=[ANNA], late=True), only(ANNA, Step.EMAIL, Reason.LATE_EMAIL)),
    ],
)
def test_evidence_that_settles_nothing_links_nobody(
    evidence: Evidence, candidates: frozenset[Candidate]
) -> None:
    assert decide_match(NOBODY, evidence) == Match(NOBODY, candidates)


def test_an_email_counts_only_with_the_phone_where_the_salon_says_so() -> None:
    alone = decide_match(NOBODY, found(email=[ANNA]), email_counts_alone=False)
    with_phone = decide_match(NOBODY, found(email=[ANNA], phone=[ANNA]), email_counts_alone=False)

    assert alone == Match(NOBODY, only(ANNA, Step.EMAIL, Reason.EMAIL_ALONE))
    assert with_phone == Match(Link(ANNA, Step.EMAIL))


@pytest.mark.parametrize(
    ("held", "evidence", "link"),
    [
        # A stronger link replaces a weaker one
        (Link(ANNA, Step.PHONE), found(email=[VERA]), Link(VERA, Step.EMAIL)),
        (Link(ANNA, Step.EMAIL), found(card=VERA), Link(VERA, Step.CARD)),
        (Link(ANNA, Step.CARD), found(codes=[VERA]), Link(VERA, Step.CODE)),
        (Link(ANNA, Step.IMPORT), found(codes=[VERA]), Link(VERA, Step.CODE)),
        (Link(ANNA, Step.IMPORT), found(earlier=[VERA]), Link(VERA, Step.CODE)),
        (Link(ANNA, Step.CODE), found(form=[VERA]), Link(VERA, Step.FORM)),
        (Link(ANNA, None), found(phone=[VERA]), Link(VERA, Step.PHONE)),
        (Link(ANNA, Step.PHONE), found(email=[ANNA], phone=[ANNA]), Link(ANNA, Step.EMAIL)),
        # never the reverse
        (Link(ANNA, Step.EMAIL), found(phone=[VERA]), Link(ANNA, Step.EMAIL)),
        (Link(ANNA, Step.CARD), found(card=ANNA, email=[VERA]), Link(ANNA, Step.CARD)),
        (Link(ANNA, Step.IMPORT), found(card=VERA), Link(ANNA, Step.IMPORT)),
        (Link(ANNA, Step.CODE), found(card=VERA), Link(ANNA, Step.CODE)),
        (Link(ANNA, Step.FORM), found(codes=[VERA]), Link(ANNA, Step.FORM)),
        # A number or an address that changes hands takes no past along
        (Link(ANNA, Step.PHONE), found(phone=[VERA]), Link(ANNA, Step.PHONE)),
        (Link(ANNA, Step.EMAIL), found(email=[VERA]), Link(ANNA, Step.EMAIL)),
        (Link(ANNA, Step.CARD), found(card=VERA), Link(ANNA, Step.CARD)),
        (Link(ANNA, Step.FORM), found(form=[VERA]), Link(ANNA, Step.FORM)),
        # Of equal strength only a code in the comment as it stands
        (Link(ANNA, Step.CODE), found(codes=[VERA]), Link(VERA, Step.CODE)),
        (Link(ANNA, Step.CODE), found(earlier=[VERA]), Link(ANNA, Step.CODE)),
        # A comment that names nobody undoes nothing, and so does a contact that is nobody's
        (Link(ANNA, Step.CODE), found(), Link(ANNA, Step.CODE)),
        (Link(ANNA, Step.EMAIL), found(), Link(ANNA, Step.EMAIL)),
        # A card that an admin took back gives nothing any more
        (Link(ANNA, Step.CARD), found(), NOBODY),
        (Link(ANNA, Step.CARD), found(phone=[VERA]), Link(VERA, Step.PHONE)),
        # What an admin decided stays, also that it is nobody's
        (Link(ANNA, Step.MANUAL), found(form=[VERA], giving=True), Link(ANNA, Step.MANUAL)),
        (Link(None, Step.MANUAL), found(form=[VERA]), Link(None, Step.MANUAL)),
    ],
)
def test_a_link_that_stands_gives_way_only_to_a_stronger_one_or_a_newer_comment(
    held: Link, evidence: Evidence, link: Link
) -> None:
    assert decide_match(held, evidence) == Match(link)


@pytest.mark.parametrize(
    ("held", "evidence"),
    [
        (Link(ANNA, Step.FORM), found(codes=[VERA, OLGA])),
        (Link(ANNA, Step.CODE), found(codes=[ANNA, OLGA])),
        (Link(ANNA, Step.EMAIL), found(codes=[VERA, OLGA])),
        (Link(ANNA, Step.EMAIL), found(phone=[VERA, OLGA])),
        (Link(ANNA, Step.PHONE), found(phone=[ANNA, OLGA])),
        (Link(ANNA, Step.PHONE), found(email=[OLGA], phone=[ANNA])),
        (Link(ANNA, Step.EMAIL), found(email=[ANNA], phone=[OLGA])),
    ],
)
def test_evidence_that_settles_nothing_undoes_nothing(held: Link, evidence: Evidence) -> None:
    match = decide_match(held, evidence)

    assert match.link == held
    assert len(match.candidates) == 2


@pytest.mark.parametrize("step", [Step.FORM, Step.CODE, Step.IMPORT, Step.CARD, Step.EMAIL, Step.PHONE])
def test_a_booking_that_is_handed_over_leaves_its_holder_a_candidate(step: Step) -> None:
    match = decide_match(Link(ANNA, step), found(giving=True, given=True))

    assert match == Match(NOBODY, only(ANNA, step, Reason.HANDED_OVER))


def test_a_booking_that_is_handed_over_goes_by_the_new_clients_card_and_contacts() -> None:
    held = Link(ANNA, Step.CODE)
    former = only(ANNA, Step.CODE, Reason.HANDED_OVER)

    by_phone = decide_match(held, found(codes=[ANNA], phone=[VERA], giving=True, given=True))
    by_card = decide_match(held, found(codes=[ANNA], card=VERA, giving=True, given=True))
    back = decide_match(held, found(codes=[ANNA], phone=[ANNA], giving=True, given=True))

    assert by_phone == Match(Link(VERA, Step.PHONE), former)
    assert by_card == Match(Link(VERA, Step.CARD), former)
    assert back == Match(Link(ANNA, Step.PHONE))


def test_codes_and_forms_never_count_again_once_a_booking_was_handed_over() -> None:
    match = decide_match(NOBODY, found(form=[ANNA], codes=[VERA], given=True))

    assert match.link == NOBODY
    assert match.candidates == only(ANNA, Step.FORM, Reason.HANDED_OVER) | only(
        VERA, Step.CODE, Reason.HANDED_OVER
    )

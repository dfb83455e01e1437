"""Whose booking: contract, section 5, a line each."""

from datetime import datetime

import pytest

from tests.support.showings import at
from zerkalo.matching.model import Evidence, Link, Match, Step
from zerkalo.matching.rules import decide_match

ANNA, VERA, OLGA = 1, 2, 3
NOBODY = Link()


def found(version: int | None = 5, *, form=(), codes=None, email=(), phone=(), changed=()) -> Evidence:
    seen: dict[int, datetime | None] = {
        user: None if second is None else at(second) for user, second in (codes or {}).items()
    }
    return Evidence(
        frozenset(form), seen, frozenset(email), frozenset(phone), at(version) if version is not None else None, frozenset(changed)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("evidence", "link"),
    [
        (found(), NOBODY),
        (found(phone=[ANNA]), Link(ANNA, Step.PHONE, at(5))),
        (found(email=[ANNA]), Link(ANNA, Step.EMAIL, at(5))),
        (found(codes={ANNA: 3}), Link(ANNA, Step.CODE, at(3))),
        (found(form=[ANNA]), Link(ANNA, Step.FORM, at(5))),
        # The first hit wins
        (found(phone=[OLGA], email=[ANNA]), Link(ANNA, Step.EMAIL, at(5))),
        (found(phone=[OLGA], email=[VERA], codes={ANNA: 5}), Link(ANNA, Step.CODE, at(5))),
        (found(phone=[OLGA], email=[VERA], codes={VERA: 5}, form=[ANNA]), Link(ANNA, Step.FORM, at(5))),
        # The newest comment speaks
        (found(codes={ANNA: 3, VERA: 5}), Link(VERA, Step.CODE, at(5))),
        (found(codes={ANNA: None, VERA: 5}), Link(VERA, Step.CODE, at(5))),
    ],
)
def test_a_new_booking_belongs_to_the_first_hit(evidence: Evidence, link: Link) -> None:
    assert decide_match(NOBODY, evidence) == Match(link)


@pytest.mark.parametrize(
    ("evidence", "between", "step"),
    [
        (found(phone=[ANNA, VERA]), {ANNA, VERA}, Step.PHONE),
        (found(codes={ANNA: 5, VERA: 5}), {ANNA, VERA}, Step.CODE),
        (found(codes={ANNA: 5, VERA: 5}, email=[OLGA], phone=[OLGA]), {ANNA, VERA}, Step.CODE),
        (found(codes={ANNA: 5, VERA: 5, OLGA: 3}), {ANNA, VERA}, Step.CODE),
    ],
)
def test_two_who_fit_at_one_step_end_the_search(evidence: Evidence, between: set[int], step: Step) -> None:
    assert decide_match(NOBODY, evidence) == Match(NOBODY, frozenset(between), step)


@pytest.mark.parametrize(
    ("held", "evidence", "link"),
    [
        # A stronger link replaces a weaker one, whatever the versions
        (Link(ANNA, Step.PHONE, at(9)), found(3, email=[VERA]), Link(VERA, Step.EMAIL, at(3))),
        (Link(ANNA, Step.EMAIL, at(9)), found(codes={VERA: 3}), Link(VERA, Step.CODE, at(3))),
        (Link(ANNA, Step.CODE, at(9)), found(3, form=[VERA]), Link(VERA, Step.FORM, at(3))),
        (Link(ANNA, None, None), found(3, phone=[VERA]), Link(VERA, Step.PHONE, at(3))),
        # never the reverse
        (Link(ANNA, Step.EMAIL, at(1)), found(9, phone=[VERA]), Link(ANNA, Step.EMAIL, at(1))),
        (Link(ANNA, Step.CODE, at(1)), found(9, email=[VERA]), Link(ANNA, Step.CODE, at(1))),
        (Link(ANNA, Step.FORM, at(1)), found(9, codes={VERA: 9}), Link(ANNA, Step.FORM, at(1))),
        # of equal strength the newer snapshot's
        (Link(ANNA, Step.CODE, at(3)), found(codes={VERA: 5}), Link(VERA, Step.CODE, at(5))),
        (Link(ANNA, Step.CODE, at(5)), found(codes={VERA: 3}), Link(ANNA, Step.CODE, at(5))),
        (Link(ANNA, Step.PHONE, at(3)), found(5, phone=[VERA]), Link(VERA, Step.PHONE, at(5))),
        # a comment that names nobody undoes nothing, and so does a contact that is nobody's
        (Link(ANNA, Step.CODE, at(3)), found(5), Link(ANNA, Step.CODE, at(3))),
        (Link(ANNA, Step.EMAIL, at(3)), found(5), Link(ANNA, Step.EMAIL, at(3))),
        # what an admin decided stays, also that it is nobody's
        (Link(ANNA, Step.MANUAL), found(form=[VERA]), Link(ANNA, Step.MANUAL)),
        (Link(None, Step.MANUAL), found(form=[VERA]), Link(None, Step.MANUAL)),
        # the contact that gave the link is another one now
        (Link(ANNA, Step.PHONE, at(3)), found(5, changed=[Step.PHONE]), NOBODY),
        (Link(ANNA, Step.EMAIL, at(3)), found(5, phone=[VERA], changed=[Step.EMAIL]), Link(VERA, Step.PHONE, at(5))),
        (Link(ANNA, Step.CODE, at(3)), found(5, changed=[Step.EMAIL, Step.PHONE]), Link(ANNA, Step.CODE, at(3))),
    ],
)  # fmt: skip
def test_a_link_that_stands_gives_way_only_to_a_stronger_or_newer_one(
    held: Link, evidence: Evidence, link: Link
) -> None:
    assert decide_match(held, evidence) == Match(link)


@pytest.mark.parametrize(
    ("held", "evidence", "link"),
    [
        (Link(ANNA, Step.FORM, at(1)), found(codes={VERA: 5, OLGA: 5}), Link(ANNA, Step.FORM, at(1))),
        (Link(ANNA, Step.CODE, at(1)), found(codes={ANNA: 5, OLGA: 5}), NOBODY),
        (Link(ANNA, Step.EMAIL, at(1)), found(codes={VERA: 5, OLGA: 5}), NOBODY),
        (Link(ANNA, Step.EMAIL, at(1)), found(phone=[VERA, OLGA]), Link(ANNA, Step.EMAIL, at(1))),
        (Link(ANNA, Step.PHONE, at(1)), found(phone=[ANNA, OLGA]), Link(ANNA, Step.PHONE, at(1))),
    ],
)
def test_an_ambiguous_step_ends_only_what_rests_below_it(held: Link, evidence: Evidence, link: Link) -> None:
    match = decide_match(held, evidence)

    assert match.link == link
    assert len(match.candidate_ids) == 2

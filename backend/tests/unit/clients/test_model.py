"""What a sight of a card teaches, and when a booking passes to another person."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from zerkalo.clients.model import (
    Card,
    Person,
    Sight,
    card_after,
    is_email_late,
    is_other_person,
    is_same_person,
    joined,
)

DAY = datetime(2026, 11, 3, tzinfo=UTC)


def sight(observation: int, **told: Any) -> Sight:
    return Sight(
        company_id=7,
        client_id=900,
        observation=observation,
        seen_at=DAY + timedelta(days=observation),
        **{"name": "Мария", "phone": "+79990000001", "email": None} | told,
    )


def after(*sights: Sight) -> Card:
    card: Card | None = None
    for one in sights:
        card = card_after(card, one)
    assert card is not None
    return card


def test_a_card_is_learned_whole() -> None:
    card = after(sight(1, email="maria@salon.test"))

    assert (card.name, card.phone) == ("Мария", "+79990000001")
    assert (card.email, card.email_known_since) == ("maria@salon.test", DAY + timedelta(days=1))
    assert not is_email_late(card)


@pytest.mark.parametrize("nothing", [UNSET, None, ""])
def test_what_is_empty_or_not_told_teaches_nothing(nothing: Any) -> None:
    full = after(sight(1, email="maria@salon.test"))
    hidden = card_after(full, sight(2, name=nothing, phone=nothing, email=nothing))

    assert (hidden.name, hidden.phone, hidden.email) == (full.name, full.phone, full.email)


def test_the_later_sight_wins_in_any_order_of_arrival() -> None:
    older, newer = sight(1, email="old@salon.test"), sight(2, name="Марья", email="new@salon.test")

    for card in (after(older, newer), after(newer, older)):
        assert (card.name, card.email) == ("Марья", "new@salon.test")
        assert is_email_late(card)


def test_an_email_that_comes_to_a_known_card_is_late() -> None:
    assert is_email_late(after(sight(1, email=""), sight(2, email="guest@salon.test")))
    assert is_email_late(after(sight(1, email="maria@salon.test"), sight(2, email="guest@salon.test")))
    assert is_email_late(after(sight(2, email="guest@salon.test"), sight(1, email="")))


def test_an_email_that_stood_there_first_or_came_with_the_phone_is_not_late() -> None:
    assert not is_email_late(after(sight(1, email="a@salon.test"), sight(2, email="a@salon.test")))
    assert not is_email_late(after(sight(1, phone=""), sight(2, email="a@salon.test")))
    assert not is_email_late(after(sight(1, email=UNSET), sight(2, email="a@salon.test")))
    back = after(sight(1, email="a@salon.test"), sight(2, email="guest@salon.test"), sight(3, email="a@salon.test"))  # fmt: skip
    assert not is_email_late(back)


@pytest.mark.parametrize("stood_there", ["", "maria@salon.test"])
def test_a_page_asked_for_before_a_call_makes_no_email_the_first(stood_there: str) -> None:
    called = after(sight(2, email=stood_there))

    attacked = card_after(called, sight(1, email="guest@salon.test"))

    assert is_email_late(card_after(attacked, sight(3, email="guest@salon.test")))


def test_an_erased_card_learns_nothing_more() -> None:
    erased = Card(company_id=7, client_id=900, erased_at=DAY)

    assert card_after(erased, sight(5, email="maria@salon.test")) == erased


def test_a_merged_card_keeps_what_an_admin_gave_and_that_its_email_came_late() -> None:
    old = replace(after(sight(1, email=""), sight(2, email="guest@salon.test")), user_id=5)
    fresh = replace(after(sight(3, email="guest@salon.test")), client_id=901)

    merged = joined(fresh, old)

    assert merged.user_id == 5
    assert is_email_late(merged)
    assert joined(replace(fresh, user_id=6), old).user_id == 6
    assert is_email_late(joined(fresh, replace(old, first_observation=9))), (
        "in whichever order they were seen"
    )
    assert not is_email_late(joined(fresh, replace(old, first_email="guest@salon.test")))


@pytest.mark.parametrize(
    ("before", "later", "is_other"),
    [
        (Person("+79990000001"), Person("+79990000002"), True),
        (Person("+79990000001"), Person("+79990000001"), False),
        (Person("+79990000001"), Person("9990000001"), False),
        (Person("+79161234567"), Person("+919161234567"), True),
        (Person("+79990000001", "a@salon.test"), Person("+79990000001", "b@salon.test"), False),
        (Person(None, "a@salon.test"), Person("+79990000002", "b@salon.test"), True),
        (Person(None, "a@salon.test"), Person(None, "a@salon.test"), False),
        (Person("+79990000001"), Person(None, "b@salon.test"), True),
        (Person(None, "b@salon.test"), Person("+79990000001"), True),
        # Of whom nothing is known may be the same person
        (Person("+79990000001"), Person(), False),
        (Person(), Person("+79990000002"), False),
    ],
)
def test_the_phone_tells_two_people_apart_else_the_email(
    before: Person, later: Person, is_other: bool
) -> None:
    assert is_other_person(before, later) is is_other


def test_two_cards_are_one_persons_only_by_their_phone() -> None:
    maria = Person("+79990000001", "maria@salon.test")

    assert is_same_person(maria, Person("+79990000001"))
    assert not is_same_person(maria, Person()), "hidden contacts hand no gift of an admin on"
    assert not is_same_person(Person(None, "a@salon.test"), Person(None, "a@salon.test"))
    assert not is_same_person(maria, Person("+79990000002", "maria@salon.test"))

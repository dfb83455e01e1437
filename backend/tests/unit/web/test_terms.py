"""What a salon lets its clients do, in words."""

import pytest

from zerkalo.companies.model import Branch
from zerkalo.web.pages.me.terms import terms_in_words

NOTHING = Branch(1, "Салон", None)


@pytest.mark.parametrize(
    ("may_move", "move_before", "may_cancel", "cancel_before", "said"),
    [
        (None, 0, None, 0, ()),
        (True, 0, True, 0, ("Перенести и отменить визит можно до его начала.",)),
        (True, 10_800, True, 10_800, ("Перенести и отменить визит можно не позже чем за 3 ч до начала.",)),
        (None, 18_000, None, 18_000, ("Перенести и отменить визит можно не позже чем за 5 ч до начала.",)),
        (False, 0, False, 0, ("Перенести и отменить визит можно только по телефону салона.",)),
        (
            True,
            0,
            False,
            0,
            ("Перенести визит можно до его начала.", "Отменить визит можно только по телефону салона."),
        ),
        (True, 10**9, None, 0, ("Перенести визит можно только по телефону салона.",)),
    ],
)
def test_rules_of_the_salon_are_sentences(
    may_move: bool | None,
    move_before: int,
    may_cancel: bool | None,
    cancel_before: int,
    said: tuple[str, ...],
):
    branch = Branch(1, "", None, "", "", may_move, may_cancel, move_before, cancel_before)

    told = terms_in_words(branch, "ru")

    assert tuple(one.replace("\N{NO-BREAK SPACE}", " ") for one in told) == said


def test_what_is_not_known_is_not_told():
    assert terms_in_words(None, "en") == terms_in_words(NOTHING, "en") == ()

"""Every action that anything of ours notes has words in the staff's log, and every word an action."""

import ast
from collections.abc import Iterator

from tests.support.project import BACKEND
from zerkalo.loyalty.model import Kind
from zerkalo.web.pages.staff.words import ACTIONS, details, subject, users_in

BY_HAND = {f"loyalty.{kind}" for kind in (Kind.ADJUSTMENT, Kind.REDEMPTION, Kind.REVERSAL)}
"""What `note_movement` makes of the kinds that staff write."""
PASSED_ON = {"booking.link", "booking.unlink"}
"""Handed to the call in a variable."""


def test_every_action_has_words() -> None:
    assert set(_noted()) | BY_HAND | PASSED_ON == set(ACTIONS)


def test_a_line_names_the_people_it_speaks_of_and_tells_the_erased_by_number() -> None:
    people = {5: "Анна Примерова ABC12345"}
    link = {"user_id": 5, "before": 4, "before_by": "phone"}

    assert users_in("booking.link", "booking 7", link) == {4, 5}
    assert users_in("user.merge", "user 3", {"into": 5}) == {3, 5}
    assert subject("user 5", "ru", people) == ("Анна Примерова ABC12345", "/admin/users/5")
    assert subject("user 4", "ru", people) == ("клиент № 4", "/admin/users/4")
    assert details("booking.link", link, "ru", people) == [
        ("было", "№ 4"),
        ("как найден", "по телефону"),
        ("клиент", "Анна Примерова ABC12345"),
    ]


def test_points_and_roles_are_nobodys_number() -> None:
    assert users_in("loyalty.redemption", "user 5", {"points": -3, "after": 4}) == {5}
    assert users_in("staff.role", "user 5", {"before": None, "after": "owner"}) == {5}


def test_what_was_changed_is_told_in_words() -> None:
    assert details("user.edit", {"changed": ["phone", "note"]}, "ru", {}) == [
        ("изменено", "телефон, заметка")
    ]


def _noted() -> Iterator[str]:
    for file in sorted((BACKEND / "zerkalo").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _name_of(node.func) in ("audit", "audit_first", "_note"):
                yield from (
                    arg.value
                    for arg in node.args
                    if isinstance(arg, ast.Constant) and isinstance(arg.value, str) and "." in arg.value
                )


def _name_of(called: ast.expr) -> str:
    return called.id if isinstance(called, ast.Name) else ""

"""Every action that anything of ours notes has words in the staff's log, and every word an action."""

import ast
from collections.abc import Iterator

from tests.support.project import BACKEND
from zerkalo.loyalty.model import Kind
from zerkalo.web.pages.staff.words import ACTIONS

BY_HAND = {f"loyalty.{kind}" for kind in (Kind.ADJUSTMENT, Kind.REDEMPTION, Kind.REVERSAL)}
"""What `note_movement` makes of the kinds that staff write."""
PASSED_ON = {"booking.link", "booking.unlink"}
"""Handed to the call in a variable."""


def test_every_action_has_words() -> None:
    assert set(_noted()) | BY_HAND | PASSED_ON == set(ACTIONS)


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

"""Lines of a source, and the people and visits read from them."""

from collections.abc import Mapping
from dataclasses import dataclass

from zerkalo.importing.model import Person, Question, Visit

Line = Mapping[str, object]
"""A line of the source: loose values by column."""


@dataclass(frozen=True, slots=True)
class Read:
    """People and visits of the source, and the lines that can't be read."""

    people: tuple[Person, ...]
    visits: tuple[Visit, ...]
    refused: tuple[Question, ...] = ()
    ask: tuple[Question, ...] = ()
    unknown_columns: tuple[str, ...] = ()

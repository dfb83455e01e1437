"""When a list that shifts while it is read has ended, and whether it stayed the same. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

PAGE_RECORDS = 200
"""Records a page, the most that YCLIENTS is known to give (fact sheet, section 1)."""
BARREN_PAGES_MAX = 2
"""Consecutive pages without a new id that end a list, for a server that repeats its last page for ever."""
PAGES_PER_LIST_MAX = 20_000
"""The most pages of a list; a longer one is an error."""
PASSES_MAX = 3
"""How often a list that shifted while it was read is read again."""
RECENT_IDS_MAX = 4 * PAGE_RECORDS
"""Ids remembered of a list of changes, to notice repetition; of a slice all are remembered."""


class IncompleteRead(Exception):
    """A list ended before showing as many records as it counted, or did not end: nothing may count as absent."""


@dataclass(slots=True)
class ListWatch:
    """One pass over one list: its ids, whether it has ended, and whether it stayed the same.

    `keep_ids`: all ids stay in `ids` (a slice: they are compared with ours); else only the latest do.
    """

    keep_ids: bool
    ids: set[int] = field(default_factory=set[int])
    shown: int = 0
    """Distinct records in this pass; those without a readable id count each time."""
    pages: int = 0
    ended: bool = False
    ended_empty: bool = False
    """Whether an empty page ended the list: there is nothing behind it."""
    first_total: int | None = None
    last_total: int | None = None
    _latest: deque[int] = field(default_factory=deque[int])
    _barren: int = 0

    def take(self, ids: Sequence[int | None], *, total: int | None) -> None:
        """Add one page: its ids (None: unreadable), and the length that it gives for the whole list.

        Raises `IncompleteRead` when the list does not end, or ends in repetition before all was shown.
        """
        self.pages += 1
        if self.pages == 1:
            self.first_total = total
        self.last_total = total
        if not ids:
            self.ended = self.ended_empty = True
            return
        new = sum(1 for record_id in ids if record_id is None or self._is_new(record_id))
        self.shown += new
        self._barren = 0 if new else self._barren + 1
        if self._barren >= BARREN_PAGES_MAX:
            if total is not None and self.shown < total:
                raise IncompleteRead(f"the list repeats itself after {self.shown} of {total} records")
            self.ended = True
        elif self.pages >= PAGES_PER_LIST_MAX:
            raise IncompleteRead(f"the list did not end within {PAGES_PER_LIST_MAX} pages")

    def held_still(self) -> bool:
        """Whether no record can have slipped between two pages: the list kept its length and showed all of it."""
        if self.first_total is None or self.last_total is None:
            return True
        return self.first_total == self.last_total and self.shown >= self.last_total

    def is_large(self, records_max: int) -> bool:
        """Whether this slice is known to be too large."""
        return max(self.last_total or 0, self.shown) > records_max

    def _is_new(self, record_id: int) -> bool:
        if record_id in self.ids:
            return False
        self.ids.add(record_id)
        if not self.keep_ids:
            self._latest.append(record_id)
            if len(self._latest) > RECENT_IDS_MAX:
                self.ids.discard(self._latest.popleft())
        return True

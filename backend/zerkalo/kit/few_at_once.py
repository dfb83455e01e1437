"""Work that a process does a few times at once at most, for each of its subjects."""

from collections import Counter
from collections.abc import Awaitable, Callable, Hashable


class FewAtOnce:
    """Leaves out what is under way already. One for a process and purpose."""

    def __init__(self, most: int = 1) -> None:
        """`most`: how many runs of one subject may be under way at a time."""
        self._most = most
        self._under_way: Counter[Hashable] = Counter()

    async def run(self, subject: Hashable, work: Callable[[], Awaitable[object]]) -> None:
        """Do the work, unless that is being done for this subject `most` times. Raises what `work` raises."""
        if self._under_way[subject] >= self._most:
            return
        self._under_way[subject] += 1
        try:
            await work()
        finally:
            self._under_way[subject] -= 1
            if not self._under_way[subject]:
                del self._under_way[subject]

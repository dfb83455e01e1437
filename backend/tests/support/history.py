"""Play a history of the vendor's record against a mirror: deliveries late, doubled, lost, partial; pages and answers older than they look.

What is played comes from Hypothesis (`steps`); the end is always the same: the questions that wait are asked, then a list is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from tests.support.mirrors import Mirror
from tests.support.vendor import PARTS, State, answer, page_item, webhook
from zerkalo.mirror.model import Observation

A_YEAR = 365 * 86_400
QUESTIONS_MAX = 4
"""So many questions must settle a record that does not change any more."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: `what`, and a number that chooses among the things it may happen to."""

    what: str
    pick: int = 0
    without: frozenset[str] = frozenset()


def states(
    min_size: int = 1,
    max_size: int = 6,
    *,
    blocks: bool = True,
    purges: bool = True,
    ties: bool = True,
    clocks: bool = False,
) -> st.SearchStrategy[list[State]]:
    """Histories in the order in which they happened, several states in one second (`ties`).

    `clocks`: the vendor's clock goes wrong now and then.
    """
    titles = st.sampled_from(["Стрижка", "Укладка"])
    phones = st.sampled_from(["+79990000001", "+79990000002", "+79990000003"])
    emails = st.sampled_from(["first@salon.test", "second@salon.test"])
    one = st.builds(
        State,
        second=st.integers(0 if ties else 1, 2),
        deleted=st.sampled_from([False, False, True]),
        purged=st.sampled_from([False, False, False, purges]),
        attendance=st.sampled_from([0, 0, 1, 2, -1]),
        title=st.one_of(titles, st.none()) if blocks else titles,
        roubles=st.integers(1, 2),
        visit_hour=st.sampled_from([10, 15]),
        phone=st.one_of(phones, st.none()) if blocks else phones,
        email=st.one_of(st.none(), emails) if blocks else emails,
        staff=st.sampled_from(["Анна", "Ольга"]),
        skew=st.sampled_from([0, 0, -3600, 120, A_YEAR] if clocks else [0]),
        comment=st.sampled_from(["", "Код клиента: CODE0001", "код клиента CODE0002", "позвонить"]),
    )
    return st.lists(one, min_size=min_size, max_size=max_size).map(_in_time)


def steps(max_size: int = 14) -> st.SearchStrategy[list[Step]]:
    """What happens between the vendor's changes and the mirror."""
    pick = st.integers(0, 5)
    return st.lists(
        st.one_of(
            st.builds(Step, st.just("change")),
            st.builds(Step, st.just("change")),
            st.builds(
                Step,
                st.sampled_from(["deliver", "bare", "read page", "apply page", "ask", "answer", "flush"]),
                pick,
            ),
            st.builds(Step, st.just("partial"), pick, st.frozensets(st.sampled_from(PARTS), min_size=1)),
        ),
        max_size=max_size,
    )


@dataclass(slots=True)
class Player:
    """Plays steps. `now` of the vendor is `states[at]`; nothing of a later state can be known to anybody."""

    mirror: Mirror
    states: Sequence[State]
    deleted_is_404: bool = False
    at: int = 0
    _pages: list[Observation | None] = field(default_factory=list[Observation | None])
    _asked: list[tuple[int, Observation]] = field(default_factory=list[tuple[int, Observation]])
    _waiting: list[Observation] = field(default_factory=list[Observation])

    @property
    def truth(self) -> State:
        return self.states[self.at]

    async def play(self, steps: Sequence[Step]) -> None:
        for step in steps:
            await self._do(step)
        await self._flush()

    async def finish(self) -> None:
        """The vendor reaches its last state; then what heals: the waiting questions, a sync, the questions that it raises."""
        self.at = len(self.states) - 1
        await self.drain()
        await self.sync()

    async def sync(self) -> None:
        """What a run does to one record: its page is applied, or it is asked for because no page showed it."""
        page = page_item(self.truth)
        row = await self.mirror.row()
        if page is not None:
            await self.mirror.apply([page])
        elif row is not None:
            await self._ask_now()
        await self.drain()

    async def drain(self) -> None:
        for _ in range(QUESTIONS_MAX):
            if await self.mirror.wants() is None:
                return
            await self._ask_now()
        assert await self.mirror.wants() is None, "asked without end"

    async def _ask_now(self) -> None:
        generation = await self.mirror.wants()
        for confirmed in (False, True):  # as the single read does where it contradicts a newer change time
            told = answer(self.truth, deleted_is_404=self.deleted_is_404, confirmed=confirmed)
            await self.mirror.apply([told])
        if generation is not None:
            await self.mirror.settle(generation)

    async def _do(self, step: Step) -> None:
        past = self.states[: self.at + 1]
        shown = past[-1 - step.pick % len(past)]
        match step.what:
            case "change":
                self.at = min(self.at + 1, len(self.states) - 1)
            case "deliver":
                self._waiting.append(webhook(shown))
            case "partial":
                self._waiting.append(webhook(shown, without=step.without))
            case "bare":
                self._waiting.append(webhook(shown, bare=True))
            case "read page":
                self._pages.append(page_item(self.truth))
            case "apply page" if self._pages:
                page = self._pages[step.pick % len(self._pages)]
                self._waiting.extend([page] if page else [])
            case "ask":
                await self._ask()
            case "answer" if self._asked:
                await self._answer(step.pick)
            case _:
                await self._flush()

    async def _ask(self) -> None:
        """Send the question: the answer shows the vendor as it is now."""
        told = answer(self.truth, deleted_is_404=self.deleted_is_404)
        self._asked.append((await self.mirror.wants() or 0, told))

    async def _answer(self, pick: int) -> None:
        await self._flush()
        generation, told = self._asked.pop(pick % len(self._asked))
        await self.mirror.apply([told])
        await self.mirror.settle(generation)

    async def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            await self.mirror.apply(waiting)


def _in_time(drawn: list[State]) -> list[State]:
    """The drawn seconds are the pauses between states. What is purged stays so."""
    second, told, purged = 0, [], False
    for state in drawn:
        second += state.second
        purged = purged or state.purged
        told.append(replace(state, second=second, purged=purged))
    return told

"""Laws of links, on the rules alone: whose a booking is does not depend on the order in which its history arrives."""

from dataclasses import replace
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from tests.property.mirror.test_fold_laws import run
from tests.support.history import Player, states
from tests.support.mirrors import PureMirror
from tests.support.vendor import State, webhook
from zerkalo.bookings.model import Row
from zerkalo.matching.model import STRENGTH, Evidence, Link, Step
from zerkalo.matching.rules import decide_match
from zerkalo.users.model import MatchUser

USERS = (
    MatchUser(1, "CODE0001", "first@salon.test", "9990000001"),
    MatchUser(2, "CODE0002", None, "9990000002"),
    MatchUser(3, None, None, "9990000003"),
    MatchUser(4, None, None, "9990000003"),
    MatchUser(5, "CODE0003", "second@salon.test", None),
)
"""Users 3 and 4 share a proved phone; nobody has the code CODE0009."""

COMMENTS = st.lists(
    st.sampled_from(["CODE0001", "CODE0002", "CODE0003", "CODE0009"]), unique=True, max_size=2
).map(lambda codes: " ".join(f"Код клиента: {code}." for code in codes))


@st.composite
def shuffled_histories(draw: st.DrawFn, *, ties: bool = False) -> tuple[list[State], list[int]]:
    """A history whose record always has a client, and an order with every state in it; two in one second only with `ties`.

    A contact that is cleared or hidden teaches nothing, so there the order may matter: it does not occur here.
    """
    history = [
        replace(
            state,
            comment=draw(COMMENTS),
            email=state.email or "nobody@salon.test",
            phone=state.phone or "+79990000009",
        )
        for state in draw(states(blocks=False, purges=False, ties=ties))
    ]
    order = draw(
        st.permutations([*range(len(history)), *draw(st.lists(st.integers(0, len(history) - 1), max_size=3))])
    )
    return history, order


@given(shuffled_histories(), st.integers(1, 4))
def test_a_link_does_not_depend_on_the_order_of_deliveries(
    shuffled: tuple[list[State], list[int]], batch_size: int
) -> None:
    history, order = shuffled

    in_order = run(row_after(history, range(len(history)), 1))
    out_of_order = run(row_after(history, order, batch_size))

    assert link_of(out_of_order) == link_of(in_order)
    assert out_of_order.user_code == in_order.user_code


@given(shuffled_histories(ties=True), st.integers(1, 4))
def test_a_link_by_code_does_not_depend_on_which_of_one_second_came_first(
    shuffled: tuple[list[State], list[int]], batch_size: int
) -> None:
    """Only one of them is asked for and believed; the code in the comment of the other has been seen all the same."""
    history, order = shuffled
    history = [replace(state, email="nobody@salon.test", phone="+79990000009") for state in history]

    in_order = run(row_after(history, range(len(history)), 1))
    out_of_order = run(row_after(history, order, batch_size))

    assert link_of(out_of_order) == link_of(in_order)
    assert set(out_of_order.match_codes) == set(in_order.match_codes)
    assert out_of_order.user_code == in_order.user_code


async def row_after(history: list[State], order: list[int] | range, batch_size: int) -> Row:
    mirror = PureMirror(USERS)
    player = Player(mirror, history, at=len(history) - 1)
    for at in range(0, len(order), batch_size):
        await mirror.apply([webhook(history[index]) for index in order[at : at + batch_size]])
    await player.drain()
    row = await mirror.row()
    assert row is not None, "each history is of a booking"
    return row


def link_of(row: Row) -> tuple[object, ...]:
    return (row.user_id, row.matched_by)


user_ids = st.frozensets(st.integers(1, 3), max_size=2)
seconds = st.one_of(st.none(), st.integers(0, 3))
steps = st.sampled_from([None, *Step])


@st.composite
def links(draw: st.DrawFn) -> Link:
    step = draw(steps)
    return Link(draw(st.integers(1, 3)) if step else None, step, moment(draw(seconds)))


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    return Evidence(
        form_user_ids=draw(user_ids),
        code_users={user: moment(draw(seconds)) for user in draw(user_ids)},
        email_user_ids=draw(user_ids),
        phone_user_ids=draw(user_ids),
        version=moment(draw(seconds)),
    )


def moment(second: int | None) -> datetime | None:
    return None if second is None else State(second).version


@given(links(), evidences())
def test_a_weaker_step_never_replaces_a_stronger_link(link: Link, evidence: Evidence) -> None:
    match = decide_match(link, evidence)

    if match.link.step is not None:
        assert STRENGTH[match.link.step] >= STRENGTH[link.step]


@given(links(), evidences())
def test_an_ambiguous_step_links_nobody_new(link: Link, evidence: Evidence) -> None:
    match = decide_match(link, evidence)

    if match.candidate_ids:
        assert len(match.candidate_ids) > 1
        assert match.link in (link, Link())


@given(links(), evidences())
def test_deciding_twice_is_deciding_once(link: Link, evidence: Evidence) -> None:
    once = decide_match(link, evidence)

    assert decide_match(once.link, evidence) == once


@given(evidences())
def test_what_an_admin_decided_stays(evidence: Evidence) -> None:
    for link in (Link(9, Step.MANUAL), Link(None, Step.MANUAL)):
        assert decide_match(link, evidence).link == link

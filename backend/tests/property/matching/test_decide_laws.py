"""Laws of one decision on a link, over all evidence."""

from hypothesis import given
from hypothesis import strategies as st

from zerkalo.bookings.model import MatchedBy
from zerkalo.matching.model import STRENGTH, Contacts, Evidence, Link, Reason
from zerkalo.matching.rules import codes_in, decide_match, longest

user_ids = st.frozensets(st.integers(1, 3), max_size=2)
steps = st.sampled_from([None, *MatchedBy])
links = steps.flatmap(lambda step: st.builds(Link, st.integers(1, 3) if step else st.none(), st.just(step)))
contacts = st.builds(Contacts, st.frozensets(st.integers(1, 3), max_size=1), user_ids, st.booleans())
evidences = st.builds(
    Evidence,
    user_ids,
    user_ids,
    user_ids,
    st.none() | st.integers(1, 3),
    contacts,
    st.booleans(),
    st.booleans(),
)
settled = evidences.filter(lambda evidence: not evidence.is_handing_over)


def is_taken_back(held: Link, evidence: Evidence) -> bool:
    return held.step is MatchedBy.CARD and evidence.card_user_id is None


@given(links, settled, st.booleans())
def test_a_weaker_step_never_replaces_a_stronger_link(held: Link, evidence: Evidence, alone: bool) -> None:
    link = decide_match(held, evidence, email_counts_alone=alone).link

    is_stronger = STRENGTH[link.step] > STRENGTH[held.step]
    assert link == held or is_stronger or link.step is MatchedBy.CODE or is_taken_back(held, evidence)


@given(links, settled, st.booleans())
def test_rivals_are_several_and_neither_is_linked_anew(held: Link, evidence: Evidence, alone: bool) -> None:
    match = decide_match(held, evidence, email_counts_alone=alone)

    rivals = {one.user_id for one in match.candidates if one.reason is Reason.RIVALS}
    if rivals:
        assert len(rivals) > 1
        assert match.link == (Link() if is_taken_back(held, evidence) else held)


@given(links, evidences, st.booleans())
def test_deciding_twice_is_deciding_once(held: Link, evidence: Evidence, alone: bool) -> None:
    once = decide_match(held, evidence, email_counts_alone=alone)
    again = decide_match(once.link, settled_one(evidence), email_counts_alone=alone)

    assert again.link == once.link


def settled_one(evidence: Evidence) -> Evidence:
    """The evidence as it stands once a handing over is written down."""
    return Evidence(
        evidence.form_user_ids,
        evidence.code_user_ids,
        evidence.earlier_code_user_ids,
        evidence.card_user_id,
        evidence.contacts,
        is_handed_over=evidence.is_handed_over or evidence.is_handing_over,
    )


@given(evidences)
def test_what_an_admin_decided_about_a_booking_stays(evidence: Evidence) -> None:
    for link in (Link(9, MatchedBy.MANUAL), Link(None, MatchedBy.MANUAL)):
        assert decide_match(link, evidence).link == link


@given(links, evidences, st.booleans())
def test_forms_and_codes_give_nothing_once_a_booking_was_handed_over(
    held: Link, evidence: Evidence, alone: bool
) -> None:
    if evidence.is_handed_over or evidence.is_handing_over:
        link = decide_match(held, evidence, email_counts_alone=alone).link

        assert link == held or link.step in (None, MatchedBy.CARD, MatchedBy.EMAIL, MatchedBy.PHONE)


@given(st.text(alphabet="Код клиентABC123 :-*`\n", max_size=80))
def test_every_reading_of_a_code_begins_with_the_shorter_ones(text: str) -> None:
    readings = codes_in(f"Код клиента: {text}")

    for code in readings:
        assert 4 <= len(code) <= 20
        assert code.isascii()
        assert code.isalnum()
    assert longest(readings) <= set(readings)

"""Decide which user a booking belongs to. Pure.

Steps, strongest first: a link an admin made, a record booked through our form, the code in the comment, an import, a
client's card that an admin gave to a user, the proved e-mail, the proved phone. The first step at which any user fits
decides; if several fit there, the search stops and nobody is linked. An existing link is replaced only by a stronger
one or by another code in the current comment; ambiguous evidence removes no link (docs/decisions/0005).
"""

import re
from collections.abc import Collection
from functools import lru_cache
from itertools import islice

from zerkalo.bookings.model import MatchedBy
from zerkalo.kit.look_alikes import CODE_LENGTH_MAX, CODE_LENGTH_MIN, HYPHENS, QUOTES, as_latin
from zerkalo.matching.model import STRENGTH, Candidate, Contacts, Evidence, Link, Match, Reason

LABELS_PER_COMMENT_MAX = 8
"""A comment that names more clients than this is not from a client: further labels are ignored."""

_LABEL = as_latin("код клиента").replace(" ", r"\s*")
_WORD = r"[A-Z0-9]+(?![^\W_])"
_BETWEEN = rf"(?:[^\S\r\n]|[{HYPHENS}]){{1,3}}"
_LABELLED = re.compile(
    rf"{_LABEL}[\s:：;.,=№#(\[{HYPHENS}{QUOTES}]{{0,12}}({_WORD}(?:{_BETWEEN}{_WORD}){{0,{CODE_LENGTH_MAX - 1}}})"
)
_WORDS = re.compile(r"[A-Z0-9]+")


@lru_cache(maxsize=512)
def codes_in(comment: str) -> tuple[str, ...]:
    """Return the distinct client codes that a comment may name after «Код клиента», canonical (4 to 20 of A-Z0-9).

    The end of a code is not marked: a reading is the word after the label, alone or joined with the next words, up to
    20 characters. The longest reading of each label comes first, and the longest one that belongs to a user counts
    (`longest`). Case, spaces, the colon, quotes and Markdown marks don't matter; Cyrillic letters that look like Latin
    ones are read as those. Cached, for a batch reads a comment more than once.
    """
    if not any(letter in comment for letter in "КкKk"):
        return ()
    labels = islice(_LABELLED.finditer(as_latin(comment)), LABELS_PER_COMMENT_MAX)
    return tuple(dict.fromkeys(code for label in labels for code in _readings(label[1])))


def longest(codes: Collection[str]) -> frozenset[str]:
    """Drop codes that another one begins with, of codes that belong to users: the longest reading of a label counts."""
    return frozenset(
        code for code in codes if not any(other != code and other.startswith(code) for other in codes)
    )


def decide_match(held: Link, evidence: Evidence, *, email_counts_alone: bool = True) -> Match:
    """Return the link that follows from `held` and `evidence`, and the other candidates.

    An admin's decision about the booking is kept. `email_counts_alone`: the setting `MATCH_EMAIL_ALONE`.
    """
    if held.step is MatchedBy.MANUAL:
        return Match(held)
    former = frozenset[Candidate]()
    if evidence.is_handing_over:
        if held.user_id is not None and held.step is not None:
            former = frozenset({Candidate(held.user_id, held.step, Reason.HANDED_OVER)})
        held = Link()
    elif _is_taken_back(held, evidence):
        held = Link()
    found, candidates = _first_hit(evidence, email_counts_alone=email_counts_alone)
    link = found if _wins(found, held, evidence) else held
    beside = {
        one for one in former | candidates if one.reason is Reason.RIVALS or one.user_id != link.user_id
    }
    return Match(link, frozenset(beside))


def _first_hit(evidence: Evidence, *, email_counts_alone: bool) -> tuple[Link, frozenset[Candidate]]:
    """Return the link that the strongest step gives, and the candidates for an admin."""
    passed_over = frozenset[Candidate]()
    for step, user_ids in (
        (MatchedBy.FORM, evidence.form_user_ids),
        (MatchedBy.CODE, evidence.code_user_ids or evidence.earlier_code_user_ids),
    ):
        if evidence.is_handed_over or evidence.is_handing_over:
            passed_over |= _as_candidates(user_ids, step, Reason.HANDED_OVER)
        elif user_ids:
            return _one_of(user_ids, step)
    if evidence.card_user_id is not None:
        return Link(evidence.card_user_id, MatchedBy.CARD), passed_over
    link, candidates = _weigh(evidence.contacts, email_counts_alone=email_counts_alone)
    return link, passed_over | candidates


def _weigh(contacts: Contacts, *, email_counts_alone: bool) -> tuple[Link, frozenset[Candidate]]:
    """Combine e-mail and phone: they link where they name one user."""
    by_email, by_phone = contacts.email_user_ids, contacts.phone_user_ids
    if by_email & by_phone:
        # In a family that shares a phone, the e-mail identifies one person.
        return _one_of(by_email & by_phone, MatchedBy.EMAIL)
    if by_email and by_phone:
        rivals = _as_candidates(by_email, MatchedBy.EMAIL, Reason.RIVALS)
        return Link(), rivals | _as_candidates(by_phone, MatchedBy.PHONE, Reason.RIVALS)
    if by_phone:
        return _one_of(by_phone, MatchedBy.PHONE)
    if by_email and contacts.email_is_late:
        return Link(), _as_candidates(by_email, MatchedBy.EMAIL, Reason.LATE_EMAIL)
    if by_email and not email_counts_alone:
        return Link(), _as_candidates(by_email, MatchedBy.EMAIL, Reason.EMAIL_ALONE)
    return _one_of(by_email, MatchedBy.EMAIL) if by_email else (Link(), frozenset())


def _one_of(user_ids: frozenset[int], step: MatchedBy) -> tuple[Link, frozenset[Candidate]]:
    if len(user_ids) > 1:
        return Link(), _as_candidates(user_ids, step, Reason.RIVALS)
    (user_id,) = user_ids
    return Link(user_id, step), frozenset()


def _as_candidates(user_ids: frozenset[int], step: MatchedBy, reason: Reason) -> frozenset[Candidate]:
    return frozenset(Candidate(user_id, step, reason) for user_id in user_ids)


def _is_taken_back(held: Link, evidence: Evidence) -> bool:
    """Return whether the link rests on a card that an admin has taken back since."""
    return held.step is MatchedBy.CARD and evidence.card_user_id is None


def _wins(found: Link, held: Link, evidence: Evidence) -> bool:
    """Return whether the found link replaces the existing one.

    With equal strength only a code in the current comment does: it is newer evidence about this visit. A contact that
    now belongs to another user is not.
    """
    strength = _strength_found(found, evidence)
    if strength != STRENGTH[held.step]:
        return strength > STRENGTH[held.step]
    return found.step is MatchedBy.CODE and found.user_id in evidence.code_user_ids


def _strength_found(found: Link, evidence: Evidence) -> int:
    """Return the strength of a found link. A late e-mail adds none to the phone that it counts with.

    Whoever gets a number books online with it, which writes their e-mail on the card of whoever had the number before.
    """
    rests_on_late_email = found.step is MatchedBy.EMAIL and evidence.contacts.email_is_late
    return STRENGTH[MatchedBy.PHONE if rests_on_late_email else found.step]


def _readings(words: str) -> list[str]:
    """Return the first word, alone and joined with the next ones, longest first."""
    readings: list[str] = []
    joined = ""
    for word in _WORDS.findall(words):
        joined += word
        if len(joined) > CODE_LENGTH_MAX:
            break
        if len(joined) >= CODE_LENGTH_MIN:
            readings.append(joined)
    return readings[::-1]

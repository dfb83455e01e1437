"""Which user a booking belongs to. Pure.

Steps, strongest first: a link an admin made, a record booked through our form, the code in the comment, the proved
e-mail, the last ten digits of the proved phone. The first step at which anybody fits decides; if two fit there, the
search stops and nobody is linked.
"""

import re
from datetime import datetime

from zerkalo.kit.look_alikes import HYPHENS, as_latin
from zerkalo.matching.model import STRENGTH, Evidence, Link, Match, Step

CODE_LENGTH = 8
CODES_PER_COMMENT_MAX = 8
"""A comment that names more codes than this is not a client's: the rest is passed over."""

_LABEL = as_latin("код клиента").replace(" ", r"\s*")
_LABELLED_CODE = re.compile(
    rf"{_LABEL}[\s:：;.,=№#{HYPHENS}(\[«\"']{{0,8}}"
    rf"((?:[A-Z0-9]{{{CODE_LENGTH}}}|[A-Z0-9](?:(?:[^\S\r\n]|[{HYPHENS}]){{0,2}}[A-Z0-9]){{{CODE_LENGTH - 1}}}))"
    r"(?![A-Z0-9])"
)


def codes_in(comment: str) -> tuple[str, ...]:
    """The client codes that a comment names after «Код клиента», canonical (8 of A-Z0-9), in order, without repeats.

    Case, spaces and the colon don't matter; Cyrillic letters that look like Latin ones are taken for them. Whether a
    code is anybody's is not known here. At most `CODES_PER_COMMENT_MAX`.
    """
    if not any(letter in comment for letter in "КкKk"):
        return ()
    found = (re.sub(r"[^A-Z0-9]", "", match.group(1)) for match in _LABELLED_CODE.finditer(as_latin(comment)))
    return tuple(dict.fromkeys(found))[:CODES_PER_COMMENT_MAX]


def decide_match(current: Link, evidence: Evidence) -> Match:
    """The link that `evidence` leaves: a stronger one replaces a weaker one, of equal strength the newer snapshot's.

    What an admin decided stays. An ambiguous step links nobody and ends a weaker link, which rests on a search that would
    not have come so far. A link by e-mail or phone ends when the record now carries another contact in that place,
    since it would show one person's visits to another.
    """
    if current.step is Step.MANUAL:
        return Match(current)
    held = Link() if current.step in evidence.contact_changed else current
    step, user_ids, version = _first_hit(evidence)
    if step is None:
        return Match(held)
    if len(user_ids) > 1:
        return Match(held if _withstands(held, step) else Link(), user_ids, step)
    (user_id,) = user_ids
    found = Link(user_id, step, version)
    return Match(found if _wins(found, held) else held)


def _first_hit(evidence: Evidence) -> tuple[Step | None, frozenset[int], datetime | None]:
    if evidence.form_user_ids:
        return Step.FORM, evidence.form_user_ids, evidence.version
    if evidence.code_users:
        newest = max(evidence.code_users.values(), key=_order)
        # Codes of several people seen at different times: the newest comment speaks.
        named = frozenset(
            user for user, seen in evidence.code_users.items() if _order(seen) == _order(newest)
        )
        return Step.CODE, named, newest
    if evidence.email_user_ids:
        return Step.EMAIL, evidence.email_user_ids, evidence.version
    if evidence.phone_user_ids:
        return Step.PHONE, evidence.phone_user_ids, evidence.version
    return None, frozenset(), None


def _withstands(held: Link, ambiguous: Step) -> bool:
    """Whether a link stays although several users fit at a step.

    Two codes in one comment end a link by either of them, or it would depend on which comment arrived first. A phone
    that a second person proves later takes nothing from the first.
    """
    if held.step is ambiguous:
        return ambiguous is not Step.CODE
    return STRENGTH[held.step] > STRENGTH[ambiguous]


def _wins(found: Link, held: Link) -> bool:
    if STRENGTH[found.step] != STRENGTH[held.step]:
        return STRENGTH[found.step] > STRENGTH[held.step]
    return _order(found.version) >= _order(held.version)


def _order(version: datetime | None) -> float:
    return version.timestamp() if version is not None else float("-inf")

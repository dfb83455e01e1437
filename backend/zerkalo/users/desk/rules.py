"""An edit onto what is stored by then: whoever edits one field leaves the others as they are. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from zerkalo.users.desk.model import Profile
from zerkalo.users.model import User


def profile_of(user: User) -> Profile:
    """What is stored."""
    return Profile(user.email, user.phone, user.name, user.note)


def texts_of(profile: Profile) -> Mapping[str, str]:
    """The fields as a form shows them."""
    return {
        "name": profile.name,
        "phone": profile.phone or "",
        "email": profile.email or "",
        "note": profile.note,
    }


def is_same(one: str, other: str) -> bool:
    """Whether a form shows both texts alike: it is sent with line ends of its own, and trimmed."""
    return one.strip().splitlines() == other.strip().splitlines()


def conflicts(stored: Profile, wanted: Profile, was: Mapping[str, str]) -> Collection[str]:
    """The edited fields (name -> what the form had shown) that somebody else has changed meanwhile, to another value."""
    texts, wanted_texts = texts_of(stored), texts_of(wanted)
    return [
        name
        for name, text in was.items()
        if not is_same(text, texts[name]) and not is_same(wanted_texts[name], texts[name])
    ]


def edited(stored: Profile, wanted: Profile, was: Mapping[str, str]) -> Profile | None:
    """What is stored with the edited fields as they are wanted; None: not without another look.

    So it is where there are conflicts, or where the last contact would go since somebody else removed the other one.
    """
    new = replace(stored, **{name: getattr(wanted, name) for name in was})
    is_last = bool({"email", "phone"} & was.keys()) and new.email is None and new.phone is None
    return None if is_last or conflicts(stored, wanted, was) else new


def changed(stored: Profile, new: Profile) -> list[str]:
    """The fields that become others; an e-mail is the same in any case."""
    differs = {
        "email": (stored.email or "").lower() != (new.email or "").lower(),
        "phone": stored.phone != new.phone,
        "name": stored.name != new.name,
        "note": stored.note != new.note,
    }
    return [name for name, is_so in differs.items() if is_so]

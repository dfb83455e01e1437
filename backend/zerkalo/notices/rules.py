"""Whether a visit's user is to be told something, when it is quiet, and the words. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta

from zerkalo.kit.language import Language
from zerkalo.notices.model import Kind, Movement, NoticePolicy, Visit

SETTLE_SPAN = timedelta(seconds=20)
"""A booking is looked at once it has stood still for so long: several updates of one change make one message."""
FRESH_SPAN = timedelta(hours=1)
"""What is older is not told any more; the hours of the night do not count."""


def is_quiet(local: datetime, policy: NoticePolicy) -> bool:
    """Whether nothing is sent at this time of the salon's clock."""
    if policy.quiet is None:
        return False
    begins, ends = policy.quiet
    return begins <= local.hour < ends if begins < ends else local.hour >= begins or local.hour < ends


def fresh_since(local: datetime, policy: NoticePolicy) -> datetime:
    """From when on a change is still worth telling: an hour back, and where that is in the night, its evening."""
    since = local - FRESH_SPAN
    if not is_quiet(since, policy):
        return since
    assert policy.quiet is not None, "it is quiet"
    evening = datetime.combine(since.date(), time(policy.quiet[0]), since.tzinfo)
    return evening if evening <= since else evening - timedelta(days=1)


def decide(visit: Visit, policy: NoticePolicy, *, now: datetime, since: datetime) -> Kind | None:
    """What the visit's user is to be told; None: nothing. Compares with what they were told last, so that a change that
    was taken back is none, and "came" never is one.
    """
    kind = _change_of(visit, since)
    is_wanted = kind is not None and kind in policy.kinds
    return kind if is_wanted and visit.starts_at > now and visit.changed_at >= since else None


def _change_of(visit: Visit, since: datetime) -> Kind | None:
    if visit.told_user_id != visit.user_id:
        is_new = not visit.is_cancelled and visit.created_at >= since
        return Kind.CONFIRMATION if is_new else None
    if visit.is_cancelled != visit.told_cancelled:
        return Kind.CANCELLED if visit.is_cancelled else Kind.CONFIRMATION
    if not visit.is_cancelled and visit.told_starts_at != visit.starts_at:
        return Kind.MOVED
    return None


_SUBJECTS: Mapping[Language, Mapping[Kind, str]] = {
    "ru": {
        Kind.CONFIRMATION: "Вы записаны",
        Kind.MOVED: "Визит перенесён",
        Kind.CANCELLED: "Визит отменён",
        Kind.REMINDER: "Напоминание о визите",
    },
    "en": {
        Kind.CONFIRMATION: "You are booked",
        Kind.MOVED: "Your visit was moved",
        Kind.CANCELLED: "Your visit was cancelled",
        Kind.REMINDER: "A reminder of your visit",
    },
}
_MONTHS: Mapping[Language, Sequence[str]] = {
    "ru": (
        "января", "февраля", "марта", "апреля", "мая", "июня",
        "июля", "августа", "сентября", "октября", "ноября", "декабря",
    ),
    "en": (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
}  # fmt: skip


def visit_message(kind: Kind, visit: Visit, language: Language) -> tuple[str, str]:
    """(subject, text) about a visit; short enough for an SMS."""
    at, subject = visit.starts_at, _SUBJECTS[language][kind]
    day = f"{at.day} {_MONTHS[language][at.month - 1]}"
    what = ", ".join(part for part in (visit.service_name, visit.staff_name) if part)
    salon = f" {visit.salon}." if visit.salon else ""
    if language == "en":
        when = f"{day} at {at:%H:%M}"
        return subject, f"{subject}{' to ' if kind is Kind.MOVED else ': '}{when}, {what}.{salon}"
    when = f"{day} в {at:%H:%M}"
    if kind is Kind.MOVED:
        return subject, f"Визит перенесён на {when}: {what}.{salon}"
    return subject, f"{subject}: {when}, {what}.{salon}"


def points_message(movement: Movement, language: Language) -> tuple[str, str]:
    """(subject, text) about points that came or went."""
    came, went, balance = movement.came, movement.went, movement.balance
    if language == "en":
        subject = (
            "Your points have changed" if came and went else "Points came" if came else "Points were spent"
        )
        gained, spent, left = (
            f"You were given points: {came}. ",
            f"Points spent: {went}. ",
            f"In all: {balance}.",
        )
    else:
        subject = "Баллы изменились" if came and went else "Начислены баллы" if came else "Списаны баллы"
        gained, spent, left = (
            f"Вам начислено баллов: {came}. ",
            f"Списано баллов: {went}. ",
            f"Всего: {balance}.",
        )
    return subject, (gained if came else "") + (spent if went else "") + left


def burning_message(points: int, days: int, language: Language) -> tuple[str, str]:
    """(subject, text) about points that will expire."""
    if language == "en":
        return (
            "Your points will expire",
            f"Within {days} days you lose points: {points}. You can spend them in the salon.",
        )
    return (
        "Баллы скоро сгорят",
        f"В ближайшие дни ({days}) сгорит баллов: {points}. Их можно потратить в салоне.",
    )


def connected_message(language: Language, *, was_anothers: bool) -> str:
    """What the bot says to a chat that was connected just now; `was_anothers`: that was another account's till then.

    Whoever reads the chat may have opened a link that somebody slipped to them.
    """
    done, moved = _CONNECTED[language]
    return done + moved if was_anothers else done


_CONNECTED: Mapping[Language, tuple[str, str]] = {
    "ru": (
        "Готово: здесь будут сообщения о ваших визитах и баллах.",
        " Сообщения другого аккаунта сюда больше не приходят.",
    ),
    "en": (
        "Done: here you will read of your visits and points.",
        " What is written to another account does not come here any more.",
    ),
}

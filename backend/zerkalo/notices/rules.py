"""Whether to notify a visit's user, when the quiet hours are, and the texts. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta

from zerkalo.kit.language import Language
from zerkalo.notices.model import Kind, Movement, NoticePolicy, Visit

SETTLE_SPAN = timedelta(seconds=20)
"""A booking is considered once it is unchanged for so long: several updates of one change make one message."""
FRESH_SPAN = timedelta(hours=1)
"""An older change is not reported any more; the quiet hours do not count."""


def is_quiet(local: datetime, policy: NoticePolicy) -> bool:
    """Return whether this salon-local time is in the quiet hours."""
    if policy.quiet is None:
        return False
    begins, ends = policy.quiet
    return begins <= local.hour < ends if begins < ends else local.hour >= begins or local.hour < ends


def fresh_since(local: datetime, policy: NoticePolicy) -> datetime:
    """Return from when a change is still reported: an hour ago or, if that is in quiet hours, from their beginning."""
    since = local - FRESH_SPAN
    if not is_quiet(since, policy):
        return since
    assert policy.quiet is not None, "it is quiet"
    evening = datetime.combine(since.date(), time(policy.quiet[0]), since.tzinfo)
    return evening if evening <= since else evening - timedelta(days=1)


def decide(visit: Visit, policy: NoticePolicy, *, now: datetime, since: datetime) -> Kind | None:
    """Return the notice for the visit's user, or None. Compares with what they were told last, so a change that was
    undone is not reported, and neither is a completed visit.
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
    """Return (subject, text) about a visit, short enough for an SMS."""
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
    """Return (subject, text) about points gained or spent."""
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
    """Return (subject, text) about points that will expire."""
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
    """Return the bot's answer to a newly connected chat; `was_anothers`: it was connected to another account before.

    That case is mentioned because the link may have come from somebody else.
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

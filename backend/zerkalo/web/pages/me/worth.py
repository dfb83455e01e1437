"""What points are worth and when they expire, in words. Pure."""

from datetime import date

from zerkalo.bookings.model import ShownBooking
from zerkalo.kit.language import Language
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.loyalty.rules import least_percent, points_for, visit_on
from zerkalo.web.pages.wording import days, money, percent, points, short_date


def programme_in_words(policy: LoyaltyPolicy, language: Language) -> tuple[str, ...]:
    """Say what a visit earns, and when that expires; empty where the programme is off."""
    if not policy.enabled:
        return ()
    return (*_earning(policy, language), _burning(policy, language))


def first_burning_in_words(burning: tuple[int, date] | None, language: Language) -> str:
    """Say how many points expire first, and when; "" where none do."""
    if burning is None:
        return ""
    number, day = burning
    told, on = points(number, language), short_date(day, language)
    if language == "ru":
        return f"Если не потратить: {on} сгорит {told}."
    return f"Unless they are spent, {told} will expire on {on}."


def promise_in_words(
    policy: LoyaltyPolicy, booking: ShownBooking | None, language: Language
) -> tuple[str, ...]:
    """Say what an upcoming visit will earn, and when that expires; empty where it earns nothing, or is not known."""
    if not policy.enabled or booking is None or booking.status not in ("PENDING", "CONFIRMED"):
        return ()
    if policy.start_date is not None and visit_on(booking.starts_at, None) < policy.start_date:
        return ()
    number = points_for(booking.service_price, least_percent(policy))
    if not number:
        return ()
    told = points(number, language)
    if language == "ru":
        said = f"За этот визит: {told}{' или больше' if policy.tiers else ''}."
    else:
        said = f"This visit earns {'at least ' if policy.tiers else ''}{told}."
    return said, _burning(policy, language)


def _earning(policy: LoyaltyPolicy, language: Language) -> tuple[str, ...]:
    common = percent(policy.percent, language)
    if language == "ru":
        said = [f"За состоявшийся визит начисляется {common} от его цены."]
        told = ", ".join(
            f"от {money(tier.from_roubles * 100)} — {percent(tier.percent, language)}"
            for tier in policy.tiers
        )
        return (
            (*said, f"Если визиты за год стоили больше, то больше и процент: {told}.") if told else (*said,)
        )
    said = [f"A completed visit earns {common} of its price."]
    told = ", ".join(
        f"from {money(tier.from_roubles * 100)} {percent(tier.percent, language)}" for tier in policy.tiers
    )
    return (*said, f"The percent depends on what the visits of a year cost: {told}.") if told else (*said,)


def _burning(policy: LoyaltyPolicy, language: Language) -> str:
    if policy.expire_days is None:
        return "Баллы не сгорают." if language == "ru" else "Points do not expire."
    span = days(policy.expire_days, language)
    if language == "ru":
        return f"Баллы сгорают, если не потратить их: срок {span} со дня начисления."
    return f"Points expire unless they are spent: they live {span} from the day they come."

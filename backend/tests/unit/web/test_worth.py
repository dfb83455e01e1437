"""What points are worth and when they burn, in words."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from zerkalo.kit.language import NBSP
from zerkalo.loyalty.model import LoyaltyPolicy, Tier
from zerkalo.web.pages.me.worth import first_burning_in_words, programme_in_words

FIVE = LoyaltyPolicy(enabled=True, percent=Decimal(5), start_date=None)


def plain(sentences: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sentence.replace(NBSP, " ") for sentence in sentences)


def test_a_programme_that_is_off_promises_nothing():
    assert programme_in_words(replace(FIVE, enabled=False), "ru") == ()


def test_the_percent_and_the_span_of_the_settings_are_said():
    policy = replace(FIVE, percent=Decimal("7.50"), expire_days=365)

    assert plain(programme_in_words(policy, "ru")) == (
        "За состоявшийся визит начисляется 7,5 % от его цены.",
        "Баллы сгорают, если не потратить их: срок 365 дней со дня начисления.",
    )
    assert plain(programme_in_words(policy, "en")) == (
        "A completed visit earns 7.5% of its price.",
        "Points expire unless they are spent: they live 365 days from the day they come.",
    )


def test_tiers_are_said_and_points_without_a_span_do_not_expire():
    policy = replace(FIVE, tiers=(Tier(20_000, Decimal(7)), Tier(50_000, Decimal(10))))

    assert plain(programme_in_words(policy, "ru"))[1:] == (
        "Если визиты за год стоили больше, то больше и процент: от 20 000 ₽ — 7 %, от 50 000 ₽ — 10 %.",
        "Баллы не сгорают.",
    )
    assert plain(programme_in_words(policy, "en"))[1:] == (
        "The percent depends on what the visits of a year cost: from 20 000 ₽ 7%, from 50 000 ₽ 10%.",
        "Points do not expire.",
    )


def test_the_first_points_to_burn_are_said_with_their_day():
    first = (5, date(2026, 12, 3))

    assert plain((first_burning_in_words(first, "ru"),)) == (
        "Если не потратить: 03.12.2026 сгорит 5 баллов.",
    )
    assert plain((first_burning_in_words(first, "en"),)) == (
        "Unless they are spent, 5 points will expire on 3 Dec 2026.",
    )
    assert first_burning_in_words(None, "ru") == ""

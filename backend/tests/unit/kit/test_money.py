from decimal import Decimal

import pytest

from zerkalo.kit.money import CostLine, kopecks, total_kopecks


@pytest.mark.parametrize(
    ("roubles", "expected"),
    [
        ("0", 0),
        ("1800", 180000),
        ("990.5", 99050),
        ("0.005", 1),
        ("0.004999999999999999999999999999999999", 0),
        ("0.1", 10),
        ("-0.005", -1),
        ("1000000000", 100_000_000_000),
    ],
)
def test_half_a_kopeck_goes_up(roubles: str, expected: int) -> None:
    assert kopecks(Decimal(roubles)) == expected


@pytest.mark.parametrize(
    ("line", "expected", "why"),
    [
        ((Decimal(4500), Decimal(4500), Decimal(0), 2), "9000", "cost is the price of one unit"),
        (
            (Decimal(4050), Decimal(4500), Decimal(10), 2),
            "8100",
            "cost is the price of one unit after the discount",
        ),
        ((Decimal("4050.01"), Decimal(4500), Decimal(10), 2), "8100.02", "within a kopeck is equal"),
        ((Decimal("4050.02"), Decimal(4500), Decimal(10), 2), "4050.02", "beyond a kopeck nothing is shown"),
        ((Decimal(9000), Decimal(4500), Decimal(0), 2), "9000", "cost covers all"),
        ((Decimal(8100), Decimal(4500), Decimal(10), 2), "8100", "cost covers all after the discount"),
        ((Decimal(4500), None, Decimal(0), 2), "4500", "no cost_per_unit: nothing is shown"),
        ((Decimal(4500), Decimal(4500), None, 2), "4500", "no discount: 50 % would fit as well"),
        ((Decimal(0), Decimal(4500), Decimal(100), 3), "0", "both fit, and agree"),
        ((Decimal("0.01"), Decimal("0.01"), Decimal(0), 2), "0.01", "both fit: not multiplied"),
        ((Decimal(1620), Decimal(1800), Decimal(10), 1), "1620", "one unit"),
        ((None, Decimal(1800), Decimal(0), 2), "0", "no cost"),
    ],
)
def test_cost_is_multiplied_only_where_the_line_shows_that_it_covers_one_unit(
    line: CostLine, expected: str, why: str
) -> None:
    assert total_kopecks([line]) == kopecks(Decimal(expected)), why


def test_the_sum_is_exact_and_rounded_once() -> None:
    third = (Decimal("0.333"), None, None, 1)

    assert total_kopecks([third, third, third]) == 100  # each rounded alone would make 99
    assert total_kopecks([(Decimal("0.1"), None, None, 1), (Decimal("0.2"), None, None, 1)]) == 30
    assert total_kopecks([]) == 0


def test_a_long_tail_of_decimals_does_not_tip_a_half() -> None:
    tail = (Decimal("0.0049999999999999999999999999999999999999"), None, None, 1)

    assert total_kopecks([tail, (Decimal(1_000_000_000), None, None, 1)]) == 100_000_000_000

"""Money: exact decimals of roubles in, whole kopecks out."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from functools import reduce
from typing import TypeAlias

CostLine: TypeAlias = tuple[Decimal | None, Decimal | None, Decimal | None, int]
"""A line's `cost` and `cost_per_unit` (roubles), `discount` (percent) and `amount` (at least 1)."""

_KOPECK = Decimal("0.01")
_PERCENT = Decimal(100)
_NOTHING = Decimal(0)

# Wide enough that no sum or product of bounded amounts is rounded before the end; with the default 28 digits many
# decimals could change how a half is rounded.
_EXACT = Context(prec=250)


def kopecks(roubles: Decimal) -> int:
    """Return roubles as whole kopecks; half a kopeck goes up (away from zero)."""
    return int(roubles.scaleb(2, _EXACT).to_integral_value(ROUND_HALF_UP, _EXACT))


def total_kopecks(lines: Iterable[CostLine]) -> int:
    """Return what the lines cost together, in kopecks: the exact sum, rounded half up once."""
    return kopecks(reduce(_EXACT.add, map(_line_cost, lines), _NOTHING))


def _line_cost(line: CostLine) -> Decimal:
    """Return what one line costs, in roubles, exact.

    Whether YCLIENTS's `cost` covers one unit or all of them is unsettled (yclients-api.md, section 2), so the
    line's other figures decide: `cost` is multiplied by `amount` only where it is the price of one unit after
    the discount, within a kopeck, and not that of all. Where a figure is missing, or neither or both fit,
    `cost` is what it costs. A line without `cost` costs nothing.
    """
    cost, cost_per_unit, discount, amount = line
    if cost is None:
        return _NOTHING
    if amount == 1 or cost_per_unit is None or discount is None:
        return cost
    with localcontext(_EXACT):
        unit = cost_per_unit * (_PERCENT - discount) / _PERCENT
        covers_one = abs(cost - unit) <= _KOPECK
        covers_all = abs(cost - unit * amount) <= _KOPECK
        return cost * amount if covers_one and not covers_all else cost

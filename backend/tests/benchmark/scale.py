"""The plan for many salons, its arithmetic and a simulation of it: `python -m tests.benchmark.scale --salons 60000`.

Every line follows from constants of the production code, from the assumptions named in `scale_day`, or from the two sizes that
`python -m tests.benchmark disk` measured. docs/scale.md shows what this prints, and a test holds the two together.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from datetime import timedelta

from tests.benchmark.scale_day import (
    CHANGES_A_VISIT,
    DAY_SECONDS,
    INTERVAL,
    OPEN_HOURS,
    OTHERS_SHARE,
    PER_MINUTE,
    PER_SECOND,
    SECONDS_A_REQUEST,
    VISITS_A_DAY,
    Address,
    Salon,
)
from tests.benchmark.told import percentile
from zerkalo.composition import POOL_SIZE
from zerkalo.runs import rules
from zerkalo.runs import store as runs
from zerkalo.settings import Settings
from zerkalo.yclients.limiter import spacing_seconds

SALONS = 60_000
SALONS_AN_ADDRESS = 1_500
SALONS_A_DATABASE = 6_000
SERVERS_A_DATABASE = 2
WEBHOOK_PEAK = 3
"""The busiest hour's webhooks to an average hour's, of a day with some twelve open hours. A guess."""
BOOKING_BYTES = 2_300
DELIVERY_BYTES = 3_100
"""On disk with their indexes, as `python -m tests.benchmark disk` prints them, rounded up."""
SPACING = spacing_seconds(PER_SECOND, PER_MINUTE)
INBOX_DAYS = Settings.model_fields["inbox_days"].default
RUN_BYTES = 400
"""A row of `sync_runs` with its indexes, rounded up."""
CROWDS = (1_500, 2_000, 2_500, 3_000)
GB = 10**9


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark.scale", description=__doc__)
    parser.add_argument("--salons", type=int, default=SALONS)
    print("\n".join(report(parser.parse_args().salons)))


def report(salons: int) -> Iterator[str]:
    """The lines that are printed."""
    yield from _arithmetic(salons)
    yield ""
    yield from _ordinary_days()
    yield ""
    yield from _first_day()
    yield ""
    yield from _after_outage()


def _arithmetic(salons: int) -> Iterator[str]:
    visits = sum(VISITS_A_DAY) / len(VISITS_A_DAY)
    average = Salon.average()
    periods = DAY_SECONDS / INTERVAL.total_seconds()
    changes = periods * (1 + len(OPEN_HOURS) / 24)
    window = rules.window_requests(average.window_records, 1)
    a_day = DAY_SECONDS / SPACING
    databases = math.ceil(salons / SALONS_A_DATABASE)
    addresses = math.ceil(salons / SALONS_AN_ADDRESS)
    workers = math.ceil(SALONS_A_DATABASE / SALONS_AN_ADDRESS)
    webhooks = salons * visits * CHANGES_A_VISIT / DAY_SECONDS
    yield f"{salons:,} salons of {visits:.0f} visits a day"
    yield _line("requests an address may send in a period", a_day / periods)
    yield _line("requests an address may send in a day", a_day)
    yield _line("  an average salon's for changes", changes)
    yield _line(f"  an average salon's for its window of {average.window_records} records", window)
    yield _line(
        "salons an address could carry beside people's share",
        a_day * (1 - OTHERS_SHARE) / (changes + window),
    )
    yield _line("salons an address is given", SALONS_AN_ADDRESS)
    yield _line("addresses (YCLIENTS_EGRESS), each with a worker", addresses)
    yield _line(f"databases, of {SALONS_A_DATABASE:,} salons and {workers} addresses each", databases)
    yield _line("connections to a database", (workers + SERVERS_A_DATABASE) * POOL_SIZE)
    yield _line("webhooks a second in all, on average", webhooks)
    yield _line("webhooks a second in all, in the busiest hour", webhooks * WEBHOOK_PEAK)
    yield _line("webhooks a second at a database, in the busiest hour", webhooks * WEBHOOK_PEAK / databases)
    bookings = visits * 365 * SALONS_A_DATABASE * BOOKING_BYTES / GB
    inbox = visits * CHANGES_A_VISIT * INBOX_DAYS * SALONS_A_DATABASE * DELIVERY_BYTES / GB
    history = periods * runs.KEPT.days * SALONS_A_DATABASE * RUN_BYTES / GB
    yield _line("disk of a database: bookings of a year, GB", bookings)
    yield _line(f"disk of a database: the inbox of {INBOX_DAYS} days, GB", inbox)
    yield _line(f"disk of a database: the runs of {runs.KEPT.days} days, GB", history)


def _salons_with_window_each_run(average: Salon) -> int:
    fitting = (
        salons
        for salons in range(1, SALONS_AN_ADDRESS)
        if timedelta(
            seconds=SECONDS_A_REQUEST * rules.window_requests(salons * average.window_records, salons)
        )
        <= INTERVAL / 2
    )
    return max(fitting)


def _ordinary_days() -> Iterator[str]:
    yield "An ordinary day of one address: minutes between two readings of a salon's changes, hours between two of its window"
    yield f"{'salons':>10}{'limit used':>14}{'p50':>10}{'p99':>10}{'longest':>10}{'window p50':>14}{'longest':>10}"
    for crowd in CROWDS:
        address = Address(crowd, is_new=False)
        address.pass_seconds(DAY_SECONDS)
        before = address.requests
        address.pass_seconds(DAY_SECONDS)
        used = (address.requests - before) * SPACING / DAY_SECONDS + OTHERS_SHARE
        gaps = _since([one.gaps for one in address.salons], DAY_SECONDS)
        ages = _since([one.window_ages for one in address.salons], DAY_SECONDS)
        yield (
            f"{crowd:>10,}{used:>14.0%}{percentile(gaps, 0.5) / 60:>10.1f}{percentile(gaps, 0.99) / 60:>10.1f}"
            f"{max(gaps) / 60:>10.1f}{percentile(ages, 0.5) / 3600:>14.1f}{max(ages) / 3600:>10.1f}"
        )


def _first_day() -> Iterator[str]:
    address = Address(SALONS_AN_ADDRESS, is_new=True)
    address.pass_until(lambda: all(one.company.history_read_at for one in address.salons))
    gaps = _since([one.gaps for one in address.salons], 0)
    yield f"The first day of an address with {SALONS_AN_ADDRESS:,} salons"
    yield _line("hours until every history of three years is read", address.now / 3600)
    yield _line("longest minutes between two readings of changes meanwhile", max(gaps) / 60)


def _after_outage() -> Iterator[str]:
    address = Address(SALONS_AN_ADDRESS, is_new=False)
    address.pass_seconds(DAY_SECONDS / 2)
    address.pass_seconds(DAY_SECONDS, is_out=True)
    back = address.now
    address.pass_until(lambda: all((one.changes_read_at or 0) >= back for one in address.salons))
    changes = address.now - back
    address.pass_until(lambda: all(one.window_read_at >= back for one in address.salons))
    windows = address.now - back
    gaps = _since([one.gaps for one in address.salons], back + changes)
    yield f"After an outage of 24 hours, an address with {SALONS_AN_ADDRESS:,} salons"
    yield _line("minutes until everybody's changes are read", changes / 60)
    yield _line("hours until everybody's window is read", windows / 3600)
    yield _line("longest minutes between two readings of changes meanwhile", max(gaps) / 60)


def _since(of_salons: Sequence[Sequence[tuple[float, float]]], moment: float) -> list[float]:
    return [seconds for of_one in of_salons for at, seconds in of_one if at > moment]


def _line(what: str, value: float) -> str:
    return f"  {what:<62}{value:>12,.1f}".removesuffix(".0")


if __name__ == "__main__":
    main()

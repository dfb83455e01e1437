"""What somebody who books waits at each step of the form while YCLIENTS takes two seconds for every answer."""

from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from time import sleep
from urllib.parse import quote

import psycopg

from tests.benchmark.bodies import COMPANY_ID
from tests.benchmark.stage import Stage, call, caller, emulator, server_process
from tests.benchmark.told import Told, milliseconds_of

YCLIENTS_SECONDS = 2.0
READS_SECONDS = 6.0
"""Between two steps somebody looks at the page."""
LATER_SECONDS = 61.0
"""The services that were kept are out of their time then."""
FIRST_SERVICE, SECOND_SERVICE = 3001, 3002
SLOW = {"kind": "timeout", "seconds": YCLIENTS_SECONDS, "after": True, "probability": 1.0}


def measure(stage: Stage, told: Told) -> None:
    """Note how long each page takes: for the first visitor, for one who comes meanwhile, and for one a minute later."""
    told.title(f"The form's pages with a YCLIENTS that takes {YCLIENTS_SECONDS:.0f} s")
    with stage.database("form", bookings=0) as dsn, emulator() as emulator_port:
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(
                "insert into companies (id, title, timezone_name) values (%s, 'A salon', 'Europe/Moscow')",
                [COMPANY_ID],
            )
        url = f"http://127.0.0.1:{emulator_port}/api/v1"
        with server_process(dsn, yclients_url=url) as (port, _):
            days = _slowed(emulator_port, port)
            _walk(told, port, "first visitor", FIRST_SERVICE, days)
            _walk(told, port, "next visitor", FIRST_SERVICE, days)
            sleep(LATER_SECONDS)
            _walk(told, port, "one a minute later", FIRST_SERVICE, days)
            with ThreadPoolExecutor(2) as both:
                first = both.submit(_page, port, SECOND_SERVICE)
                sleep(YCLIENTS_SECONDS / 2)
                second = both.submit(_page, port, SECOND_SERVICE)
                told.figure("two for one page, who asked first", first.result(), "ms")
                told.figure("who came a second later", second.result(), "ms")
            path = f"/book?service={SECOND_SERVICE}&staff=0&day={days[2]}"
            told.figure(
                "a shared link to a day of two services", _time(port, f"{path}&service={FIRST_SERVICE}"), "ms"
            )


def _slowed(emulator_port: int, port: int) -> list[str]:
    """From now on every answer of YCLIENTS takes long. The free days of the first service, asked for another specialist's."""
    with caller(emulator_port) as control:
        call(control, "POST", "/_control/faults", SLOW)
    with caller(port) as conn:
        days = call(conn, "GET", f"/api/v1/booking/dates?service_ids={FIRST_SERVICE}&staff_id=502")["items"]
    return [str(day) for day in days]


def _walk(told: Told, port: int, who: str, service: int, days: list[str]) -> None:
    chosen = f"/book?service={service}&staff=0"
    steps = {
        "services": "/book",
        "specialists": f"/book?service={service}",
        "times": chosen,
        "the next day's times": f"{chosen}&day={days[1]}",
        "contacts": f"{chosen}&day={days[1]}&time={quote(f'{days[1]}T12:00:00+03:00')}",
    }
    for step, path in steps.items():
        told.figure(f"{who}: {step}", _time(port, path), "ms")
        sleep(READS_SECONDS)


def _page(port: int, service: int) -> float:
    return _time(port, f"/book?service={service}")


def _time(port: int, path: str) -> float:
    with caller(port) as conn:  # one that is kept open is closed while its owner reads
        return milliseconds_of(lambda: _get(conn, path))


def _get(conn: HTTPConnection, path: str) -> None:
    conn.request("GET", path, headers={"Accept": "text/html"})
    answer = conn.getresponse()
    text = answer.read()
    assert answer.status == 200, (path, answer.status, text[:500])

"""Find the problems of the machine. Pure."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit, urlunsplit

from zerkalo.checkup.machine.model import Failure, Machine
from zerkalo.checkup.model import Problem, Severity

NEWEST_MINORS: Mapping[int, int] = {15: 18, 16: 14, 17: 10, 18: 4}
"""PostgreSQL's minor versions of 14 May 2026. Our releases raise them; an older release of ours only advises less."""
FREE_BYTES_MIN = 1024**3
"""Less is reported: a month's inbox and a backup would fill it."""
CLOCK_SECONDS_MAX = 30.0
"""Change times minutes ahead can't order versions; an error of half a minute already means an unsynchronised clock."""
DOMAINS = (".yclients.com", ".yclients.ru")
_FAILURES = {
    Failure.NAME: "yclients_unknown_host",
    Failure.CONNECT: "yclients_unreachable",
    Failure.TLS: "yclients_untrusted",
}


def problems_of_machine(machine: Machine) -> Iterator[Problem]:
    """Yield the errors and the advice."""
    yield from _postgres(machine)
    if machine.refusal is not None:
        yield Problem(machine.refusal, Severity.ERROR)
    if machine.free_bytes is not None and machine.free_bytes < FREE_BYTES_MIN:
        free = {"folder": machine.data_dir, "free": f"{machine.free_bytes / 1024**2:.0f}"}
        yield Problem("disk_full", Severity.ERROR, free)
    for file in machine.loose_files:
        yield Problem("file_open", Severity.ERROR, {"path": file.path, "mode": file.mode})
    if machine.erasures_lacking:
        lacking = {"count": machine.erasures_lacking, "path": machine.journal}
        yield Problem("erased_back", Severity.ERROR, lacking)
    if _is_off(machine.clock_ahead_seconds):
        seconds = round(machine.clock_ahead_seconds or 0)
        yield Problem("clock_database", Severity.ERROR, {"seconds": f"{seconds:+d}"})
    yield from _yclients(machine)


def other_url(url: str) -> str | None:
    """Return the same URL under YCLIENTS's other domain; None where the host is not YCLIENTS's own."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    for ours, other in (DOMAINS, DOMAINS[::-1]):
        if host.endswith(ours):
            return urlunsplit(parts._replace(netloc=parts.netloc.replace(ours, other)))
    return None


def _postgres(machine: Machine) -> Iterator[Problem]:
    if machine.postgres_version is None:
        return
    major, minor = divmod(machine.postgres_version, 10_000)
    newest = NEWEST_MINORS.get(major)
    if newest is not None and minor < newest:
        code = "postgres_old_embedded" if machine.is_embedded else "postgres_old"
        versions = {"version": f"{major}.{minor}", "newest": f"{major}.{newest}", "major": major}
        yield Problem(code, Severity.ADVICE, versions)


def _yclients(machine: Machine) -> Iterator[Problem]:
    reach = machine.yclients
    if reach is None:
        return
    values = {"host": reach.host, "reason": reach.reason}
    if reach.failure is not None and machine.other_host is not None:
        yield Problem("yclients_other_domain", Severity.ERROR, {**values, "other": machine.other_host})
    elif reach.failure is not None:
        yield Problem(_FAILURES[reach.failure], Severity.ERROR, values)
    elif _is_off(reach.clock_ahead_seconds):
        seconds = round(reach.clock_ahead_seconds or 0)
        yield Problem("clock_yclients", Severity.ERROR, {**values, "seconds": f"{seconds:+d}"})


def _is_off(seconds: float | None) -> bool:
    return seconds is not None and abs(seconds) > CLOCK_SECONDS_MAX

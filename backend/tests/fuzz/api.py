"""Schemathesis over the whole OpenAPI of the running application: `python -m tests.fuzz.api [--seconds N] [--seed N]`.

A real server on a real PostgreSQL, the emulator behind it. Every phase, the stateful one too: no answer of 5xx but the
documented ones, and each as the OpenAPI says (status, headers, content type, schema).
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.application import SECRET, SECRET_KEY, Application, running_application
from tests.support.database import test_server
from tests.support.emulator import FIXTURES

BACKEND = Path(__file__).parents[2]
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "ignored_auth",
)
"""All but five. `unsupported_method` and `allow_header_conformance` take PATCH /booking/calendar for no
PATCH /booking/{id}; a schema can't say which e-mail is taken (`positive_data_acceptance`); and an id that stays visible
after its DELETE is no leak (`use_after_free`, `ensure_resource_availability`)."""

Bound = tuple[str, str]
"""An option of Schemathesis: by time, `--max-time`, or by tries, `--max-examples`, which on any machine tries the same."""

PHASES = ("examples", "coverage", "fuzzing", "stateful")


@dataclass
class Fuzzed:
    """How a run went: what the tool printed, how each phase ended, how many calls it made with which outcome."""

    exit_code: int
    output: str
    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    phases: dict[str, str] = field(default_factory=dict[str, str])


async def fuzz(application: Application, *, bound: Bound, seed: int, folder: Path) -> Fuzzed:
    """Let Schemathesis loose on the application, as far as the bound allows."""
    await _fill(application)
    report = folder / "events.ndjson"
    async with application.listening() as port:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{port}/openapi.json"),
            *("--checks", ",".join(CHECKS), "--phases", ",".join(PHASES)),
            *(*bound, "--seed", str(seed), "--continue-on-failure", "--no-color"),
            *("--report", "ndjson", "--report-ndjson-path", str(report), "--warnings", "off"),
            *("--suppress-health-check", "all", "--request-timeout", "40"),
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": str(BACKEND),
                "SCHEMATHESIS_HOOKS": "tests.fuzz.api_hooks",
                "ZERKALO_FUZZ_DSN": application.runtime.dsn,
                "ZERKALO_FUZZ_SECRET_KEY": SECRET_KEY,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
    assert process.returncode is not None
    fuzzed = Fuzzed(process.returncode, output.decode(errors="replace"))
    if report.exists():
        _count(fuzzed, report)
    return fuzzed


async def _fill(application: Application) -> None:
    """Something to find: bookings, a run, deliveries of every outcome."""
    run = await application.runtime.runs.open_or_join(application.settings.yclients_company_ids[0])
    await application.runtime.runs.carry(run.company_id)
    async with application.client() as client:
        for path in sorted(FIXTURES.glob("[01]*-webhook-*.json")):
            await client.post(f"/api/v1/yclients/webhook/{SECRET}", content=path.read_bytes())
        await client.post(f"/api/v1/yclients/webhook/{SECRET}", content=b"not JSON")


def _count(fuzzed: Fuzzed, report: Path) -> None:
    for line in report.open():
        event = json.loads(line)
        ended = event.get("PhaseFinished")
        if ended is not None:
            fuzzed.phases[ended["phase"]["name"]] = ended["status"]
        for status in _statuses(event):
            fuzzed.cases += 1
            fuzzed.statuses[status] += 1


def _statuses(value: Any) -> list[int]:
    """The status of every answer in an event, however deep."""
    if isinstance(value, list):
        return [status for one in value for status in _statuses(one)]
    if not isinstance(value, dict):
        return []
    own = [value["status_code"]] if isinstance(value.get("status_code"), int) else []
    return own + [status for one in value.values() for status in _statuses(one)]


async def _run(dsn: str, seconds: int, seed: int) -> Fuzzed:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with running_application(dsn, folder, with_worker=True) as application:
            return await fuzz(application, bound=("--max-time", str(seconds)), seed=seed, folder=folder)


def main() -> None:
    """A longer run by hand."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.api", description=__doc__)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with test_server() as server, server.database() as dsn:
        fuzzed = asyncio.run(_run(dsn, given.seconds, given.seed))
    print(fuzzed.output)
    print(f"{fuzzed.cases} calls: {dict(sorted(fuzzed.statuses.items()))}")
    raise SystemExit(fuzzed.exit_code)


if __name__ == "__main__":
    main()

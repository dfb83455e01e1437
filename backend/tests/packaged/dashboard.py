"""`make dashboard`: every question of `packaging/grafana` is asked of a Prometheus that has watched a living demo for two minutes.

No Grafana runs here: this shows that the questions are understood and find what the processes tell, not how it is drawn.
"""

import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from tests.packaged import PACKAGING, program, written
from tests.support.application import free_port
from tests.support.database import open_folder
from tests.support.project import BACKEND

WATCHED_SECONDS = 120
START_SECONDS_MAX = 120.0
RATE_INTERVAL = "1m"
"""What Grafana would put in place of `$__rate_interval`."""
SILENT = frozenset({"zerkalo_drift_differences", "zerkalo_drift_age_seconds"})
"""Told once somebody has compared with YCLIENTS (`zerkalo drift`), which a new demo has not."""


def questions(dashboard: Path) -> Iterator[tuple[str, str]]:
    """The title of each panel, and each of its questions as Grafana would send it."""
    panels = json.loads(dashboard.read_text("utf-8"))["panels"]
    for panel in (inner for one in panels for inner in (one, *one.get("panels", ()))):
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$__rate_interval", RATE_INTERVAL)


@contextmanager
def running(words: Sequence[str], folder: Path) -> Iterator[None]:
    """A program with its log in the folder, ended after the block."""
    with (folder / f"{Path(words[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def answered(url: str) -> bytes:
    """The body of an address, as soon as somebody answers there."""
    until = time.monotonic() + START_SECONDS_MAX
    while True:
        with suppress(OSError), urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read()
        assert time.monotonic() < until, f"{url} does not answer"
        time.sleep(0.5)


def found(prometheus: str, question: str) -> list[Any]:
    """The series that answer a question now; a wrong one raises."""
    query = urllib.parse.urlencode({"query": question})
    with urllib.request.urlopen(f"{prometheus}/api/v1/query?{query}", timeout=10) as answer:
        return json.load(answer)["data"]["result"]


def main() -> None:
    """Raises, or ends with what was asked."""
    binary = program("prometheus", "prometheus")
    port, emulator, own = free_port(), free_port(), free_port()
    ours = yaml.safe_load((PACKAGING / "prometheus" / "prometheus.yml").read_text("utf-8"))
    ours["global"]["scrape_interval"] = "5s"
    ours["rule_files"] = [str(PACKAGING / "prometheus" / "zerkalo-alerts.yml")]
    ours["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    prometheus = f"http://127.0.0.1:{own}"
    with open_folder() as folder:
        config = written(folder / "prometheus.yml", yaml.safe_dump(ours))
        (folder / "demo").mkdir()
        demo = f"import sys; sys.path.insert(0, {str(BACKEND)!r}); from zerkalo.cli.main import main; main()"
        words = [sys.executable, "-c", demo, "demo", "--port", str(port), "--emulator-port", str(emulator)]
        watch = [binary, f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"]
        with (
            running(words, folder / "demo"),
            running([*watch, f"--web.listen-address=127.0.0.1:{own}"], folder),
        ):
            answered(f"http://127.0.0.1:{port}/healthz")
            answered(f"{prometheus}/-/ready")
            time.sleep(WATCHED_SECONDS)
            asked = list(questions(PACKAGING / "grafana" / "zerkalo.json"))
            empty = {question: title for title, question in asked if not found(prometheus, question)}
            firing = found(prometheus, 'ALERTS{alertstate="firing"}')
    unanswered = {
        question: title for question, title in empty.items() if not SILENT & set(re.findall(r"\w+", question))
    }
    assert not unanswered, unanswered
    firing = {one["metric"]["alertname"] for one in firing}
    assert firing <= {"ZerkaloQuarantine"}, "the demo has a call in quarantine, and nothing else to tell of"
    sys.stdout.write(
        f"{len(asked)} questions, {len(asked) - len(empty)} answered by a demo; no alert fires on it\n"
    )


if __name__ == "__main__":
    main()

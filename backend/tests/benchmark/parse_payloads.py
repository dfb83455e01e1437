"""How long one record takes to read: `python -m tests.benchmark.parse_payloads`, from `backend/`.

The best of many short rounds, since whatever else the machine does only adds. `json.loads` beside it is the ratio to watch:
it reads the same text and understands nothing of it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from timeit import repeat

from zerkalo.yclients.payloads import parse_record, parse_webhook

BODY = Path(__file__).parents[1] / "fixtures" / "yclients" / "01-webhook-record-create.json"
CALLS = 50
ROUNDS = 1_000


def main() -> None:
    document = json.loads(BODY.read_bytes())
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    raw = json.dumps(document["data"], ensure_ascii=False, separators=(",", ":")).encode()
    show("record", lambda: parse_record(raw))
    show("whole webhook", lambda: parse_webhook(body))
    show("json.loads of the webhook", lambda: json.loads(body))


def show(name: str, call: Callable[[], object]) -> None:
    best = min(repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS
    print(f"{name:<28}{best * 1e6:6.1f} microseconds")


if __name__ == "__main__":
    main()

"""`make alerts`: Prometheus's own judgement of `packaging/prometheus`: each alert fires on what it is for, and is silent else."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.packaged import PACKAGING, program, written

FOLDER = PACKAGING / "prometheus"
RULES = FOLDER / "zerkalo-alerts.yml"
MINUTES = 180
"""How long everything stays as it is before a rule is asked: longer than any range in the rules but a day's."""

UP = 'up{job="zerkalo", instance="a"}'
SECONDS = 'zerkalo_{}_seconds_bucket{{le="{}"}}'


BOUNDS = ("0.01", "0.25", "0.5", "1", "10", "60", "300", "+Inf")
"""Of the buckets of every histogram here."""


def took(what: str, seconds: float) -> dict[str, str]:
    """A histogram with ten a minute, each of which took so long."""
    return {SECONDS.format(what, le): grows(10 * (float(le) >= seconds)) for le in BOUNDS}


def stays(value: float) -> str:
    """A figure that does not change."""
    return f"{value}+0x{MINUTES}"


def grows(by: float) -> str:
    """A counter, by so much a minute."""
    return f"0+{by}x{MINUTES}"


def _requests(result: str) -> str:
    return f'zerkalo_yclients_requests_total{{result="{result}"}}'


CALM: dict[str, str] = {
    UP: stays(1),
    "zerkalo_database_up": stays(1),
    'zerkalo_webhooks_total{outcome="applied"}': grows(30),
    'zerkalo_webhooks_total{outcome="database_unavailable"}': stays(2),
    'zerkalo_webhooks_total{outcome="wrong_token"}': grows(0.1),
    "zerkalo_webhook_age_seconds": stays(600),
    "zerkalo_repaired_total": stays(7),
    "zerkalo_sync_age_seconds": stays(1500),
    'zerkalo_runs_total{result="failed"}': stays(3),
    "zerkalo_worker_age_seconds": stays(10),
    "zerkalo_tasks_failing": stays(0),
    "zerkalo_companies_refused": stays(0),
    _requests("ok"): grows(60),
    _requests("throttled"): stays(1),
    "zerkalo_yclients_requests_per_minute_max": stays(200),
    "zerkalo_quarantine": stays(0),
    "zerkalo_refetches_age_seconds": stays(5),
    "zerkalo_absences_waiting": stays(0),
    "zerkalo_drift_differences": stays(0),
    "zerkalo_pool_waiting": stays(0),
    'zerkalo_messages_total{result="given_up"}': stays(4),
    "zerkalo_messages_expired_total": stays(0),
    "zerkalo_messages_age_seconds": stays(30),
    'zerkalo_log_ins_total{result="wrong"}': grows(0.2),
    **took("webhook", 0.02),
    **took("commit", 0.005),
    **took("call_lag", 5),
    **took("event_loop_lag", 0.005),
}
"""A salon at work, as its processes tell it to Prometheus."""

TROUBLE: dict[str, dict[str, str]] = {
    "ZerkaloDown": {UP: stays(0)},
    "ZerkaloDatabaseDown": {"zerkalo_database_up": stays(0)},
    "ZerkaloWebhooksNotStored": {'zerkalo_webhooks_total{outcome="database_unavailable"}': grows(1)},
    "ZerkaloWebhooksRefused": {'zerkalo_webhooks_total{outcome="wrong_token"}': grows(1)},
    "ZerkaloNoWebhook": {"zerkalo_webhook_age_seconds": stays(90_000)},
    "ZerkaloWebhooksLost": {"zerkalo_repaired_total": grows(1)},
    "ZerkaloSyncLate": {"zerkalo_sync_age_seconds": stays(6000)},
    "ZerkaloSyncFailing": {'zerkalo_runs_total{result="failed"}': grows(0.1)},
    "ZerkaloWorkerSilent": {"zerkalo_worker_age_seconds": stays(300)},
    "ZerkaloTaskFailing": {"zerkalo_tasks_failing": stays(1)},
    "ZerkaloYclientsRefuses": {"zerkalo_companies_refused": stays(1)},
    "ZerkaloYclientsThrottles": {_requests("throttled"): grows(1)},
    "ZerkaloBudgetUsedUp": {_requests("ok"): grows(195)},
    "ZerkaloQuarantine": {"zerkalo_quarantine": stays(1)},
    "ZerkaloRefetchesOld": {"zerkalo_refetches_age_seconds": stays(7200)},
    "ZerkaloAbsencesWaiting": {"zerkalo_absences_waiting": stays(21)},
    "ZerkaloDrift": {"zerkalo_drift_differences": stays(2)},
    "ZerkaloSlow": took("webhook", 2),
    "ZerkaloCommitSlow": took("commit", 0.8),
    "ZerkaloLag": took("call_lag", 200),
    "ZerkaloPoolExhausted": {"zerkalo_pool_waiting": stays(3)},
    "ZerkaloLoopBlocked": took("event_loop_lag", 0.4),
    "ZerkaloMessagesFailing": {'zerkalo_messages_total{result="given_up"}': grows(1)},
    "ZerkaloLogInsRefused": {'zerkalo_log_ins_total{result="wrong"}': grows(10)},
}
"""Each alert, and what of `CALM` is otherwise where it has to fire."""


def alerts() -> list[dict[str, Any]]:
    """The alerts of our file."""
    (group,) = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return group["rules"]


def _told(alert: dict[str, Any]) -> dict[str, Any]:
    whose = {"job": "zerkalo", "instance": "a"} if alert["alert"] == "ZerkaloDown" else {}
    return {"exp_labels": alert["labels"] | whose, "exp_annotations": alert["annotations"]}


def _scene(series: dict[str, str], firing: str) -> dict[str, Any]:
    """All alerts are asked; only the one that is named may fire."""
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {
                "eval_time": f"{MINUTES}m",
                "alertname": alert["alert"],
                "exp_alerts": [_told(alert)] if alert["alert"] == firing else [],
            }
            for alert in alerts()
        ],
    }


def main() -> None:
    """Raises, or ends with what was judged."""
    promtool = program("promtool", "prometheus")
    known = {alert["alert"] for alert in alerts()}
    assert known == set(TROUBLE), f"without a trouble, or without an alert: {known ^ set(TROUBLE)}"
    scenes = [_scene(CALM, ""), *(_scene(CALM | trouble, name) for name, trouble in TROUBLE.items())]
    with tempfile.TemporaryDirectory() as name:
        scene = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": scenes}
        tests = written(Path(name) / "alerts.yml", yaml.safe_dump(scene, allow_unicode=True))
        for words in (("check", "config", str(FOLDER / "prometheus.yml")), ("test", "rules", str(tests))):
            done = subprocess.run([promtool, *words], capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"promtool {' '.join(words)}:\n{done.stdout}{done.stderr}")
    sys.stdout.write(
        f"{len(TROUBLE)} alerts: each fires on what it is for, and none on a salon that is well\n"
    )


if __name__ == "__main__":
    main()

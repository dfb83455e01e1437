"""`make audit`: are there known holes in what we depend on? Asks PyPI by pip-audit about every locked version.

Exits 1 where there is one. Where the data can't be reached it says so, lists what was not looked at, and exits 0: a machine
without a way out must still pass its checks. pip-audit by itself passes over such packages and reports that all is well.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

BACKEND = Path(__file__).parent
SECONDS_MAX = 60


def audited(lock: Path) -> list[dict[str, Any]] | None:
    """Every package of a lock file with its known holes, or why it was skipped; None where pip-audit gave no answer."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "-r", str(lock)]
    try:
        done = subprocess.run(
            [*command, "-f", "json", "--progress-spinner", "off"],
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        return json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return None


def verdict(packages: list[dict[str, Any]] | None) -> tuple[int, list[str]]:
    """The exit code, and the lines that say why."""
    if packages is None:
        return 0, ["not audited: the data about known holes can't be reached"]
    holes = [
        f"{one['name']} {one['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no version'}"
        for one in packages
        for hole in one.get("vulns", [])
    ]
    skipped = [f"not audited: {one['skip_reason']}" for one in packages if "skip_reason" in one]
    looked_at = len(packages) - len(skipped)
    return int(bool(holes)), [
        *holes,
        *skipped,
        f"{looked_at} of {len(packages)} audited, {len(holes)} known holes",
    ]


def main() -> int:
    """Audits what runs, and what only develops."""
    codes: list[int] = []
    for name in ("requirements.lock", "requirements-dev.lock"):
        code, lines = verdict(audited(BACKEND / name))
        codes.append(code)
        sys.stdout.write("\n".join([f"{name}:", *(f"  {line}" for line in lines), ""]))
    return max(codes)


if __name__ == "__main__":
    raise SystemExit(main())

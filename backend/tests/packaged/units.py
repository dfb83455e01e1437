"""`make units`: systemd's own judgement of `packaging/systemd`."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.packaged import PACKAGING, program, written

UNITS = PACKAGING / "systemd"
EXPOSURE_MAX = 2.0
"""Of ten, by `systemd-analyze security`; a service without a sandbox has 9.6."""


def main() -> None:
    """Raises, or ends with a line for each unit."""
    analyze = program("systemd-analyze", "systemd")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # `verify` wants the program to be there.
        zerkalo = written(folder / "zerkalo", "#!/bin/sh\n")
        zerkalo.chmod(0o755)
        copies = [
            written(
                folder / unit.name, unit.read_text("utf-8").replace("/opt/zerkalo/bin/zerkalo", str(zerkalo))
            )
            for unit in sorted(UNITS.iterdir())
            if unit.is_file()
        ]
        for copy in copies:
            wanted = copy.with_name(copy.name.replace("@.", "@8000."))
            _run(analyze, "verify", "--man=no", str(wanted))
            judged = "" if copy.suffix == ".timer" else f", exposure {_exposure(analyze, copy)}"
            sys.stdout.write(f"{copy.name}: verified{judged}\n")
    _run(program("systemd-sysusers", "systemd"), "--dry-run", str(UNITS / "sysusers.d" / "zerkalo.conf"))
    sys.stdout.write("sysusers.d/zerkalo.conf: understood\n")


def _run(*words: str) -> str:
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    # `verify` tells a key that it does not know and ends with 0.
    if ended.returncode or (words[1] == "verify" and ended.stderr.strip()):
        raise SystemExit(f"{' '.join(words)}: {ended.stdout}{ended.stderr}")
    return ended.stdout


def _exposure(analyze: str, unit: Path) -> float:
    said = _run(analyze, "security", "--offline=true", "--no-pager", str(unit))
    (level,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", said)
    if float(level) > EXPOSURE_MAX:
        raise SystemExit(f"{unit.name}: exposure {level}, more than {EXPOSURE_MAX}\n{said}")
    return float(level)


if __name__ == "__main__":
    main()

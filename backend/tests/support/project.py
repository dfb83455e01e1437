"""Where the project's own files are, for the tests that read them."""

import subprocess
from pathlib import Path

BACKEND = Path(__file__).resolve().parents[2]
ROOT = BACKEND.parent
BIN = BACKEND / ".venv" / "bin"


def tracked_files(suffix: str = "") -> list[Path]:
    """Every file that git keeps or would keep (new ones that nothing ignores), whose name ends so; absolute paths."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = [ROOT / name for name in sorted(set(listed.split("\0"))) if name.endswith(suffix) and name]
    return [path for path in paths if path.is_file()]

"""Builds the wheel, installs it into an empty virtual environment and runs it in an empty folder.

What it depends on is taken from this environment, so that no network is needed; npm and the clone are out of its sight.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
from pathlib import Path

from setuptools import build_meta

from tests.support.database import open_folder
from tests.support.project import BACKEND

START_SECONDS_MAX = 120
PAGES = ("/", "/docs", "/openapi.json", "/healthz")
"""What answers 200 without a salon, too."""


def installed(folder: Path) -> Path:
    """Installs a freshly built wheel below `folder` and returns the `bin` of its environment."""
    os.chdir(BACKEND)
    wheel = folder / build_meta.build_wheel(str(folder))
    venv.create(folder / "venv", with_pip=False)
    site = folder / "venv" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "venv" / "bin" / "python")]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
    (site / "zz_dependencies.pth").write_text(sysconfig.get_path("purelib"))  # behind the wheel's own files
    return folder / "venv" / "bin"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def fetched(url: str) -> bytes:
    """The body of an address; any status but 200 raises."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def try_command(zerkalo: Path, folder: Path, words: list[str], port: int) -> None:
    """Starts a server in an empty folder, asks it for its pages and their scripts and icons, and ends it in order."""
    folder.mkdir()
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([zerkalo, *words], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        base, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                fetched(base + "/healthz")
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit((folder / "log").read_text()) from None
                time.sleep(0.2)
        for path in PAGES:
            fetched(base + path)
        shown = (fetched(base + "/") + fetched(base + "/docs")).decode()
        files = re.findall(r'(?:src|href)="(/static/[^"]+)"', shown)
        assert any("vendor" in file for file in files), files
        assert all(fetched(base + file) for file in files)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=90)
    assert server.returncode == 0, server.returncode
    sys.stdout.write(f"zerkalo {' '.join(words)}: answers in an empty folder, and ends in order\n")


def main() -> None:
    """Raises, or ends with a line for each command that was tried."""
    with open_folder() as folder:
        zerkalo = installed(folder) / "zerkalo"
        version = subprocess.run([zerkalo, "--version"], cwd="/", check=True, capture_output=True, text=True)
        sys.stdout.write(version.stdout)
        port = free_port()
        try_command(zerkalo, folder / "мой салон", ["serve", "--port", str(port)], port)
        port, emulator_port = free_port(), free_port()
        words = ["demo", "--port", str(port), "--emulator-port", str(emulator_port)]
        try_command(zerkalo, folder / "demo", words, port)


if __name__ == "__main__":
    main()

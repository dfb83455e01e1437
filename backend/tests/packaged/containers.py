"""`make containers`: builds the image and runs it as `compose.yaml` does, without any network.

The engine is docker, else podman; `ENGINE='podman --storage-driver vfs'` names one with its options, `ENGINE_BUILD` and `ENGINE_RUN` give
more to `build` and `run`, `IMAGE` names an image that is built already.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from typing import Any

from tests.support.project import ROOT

SIZE_BYTES_MAX = 250_000_000
START_SECONDS_MAX = 600.0
STOP_SECONDS_MAX = 20.0
"""The engine would kill it after 30."""
USER = "10001"
NAME = "zerkalo-tried"
LOCKED = shlex.split(
    "--read-only --tmpfs /tmp --security-opt no-new-privileges --cap-drop ALL --network none"
)
"""What `compose.yaml` gives every service of ours, but for the network."""
ANNA = "anna@example.com"


class Engine:
    """The container engine, one image and one container of it."""

    def __init__(self) -> None:
        named = os.environ.get("ENGINE") or shutil.which("docker") or shutil.which("podman")
        if named is None:
            raise SystemExit("docker or podman is missing")
        self.words = shlex.split(named)
        self.image = os.environ.get("IMAGE", "")

    def say(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of the engine; what went wrong ends it all, unless that is what is asked."""
        done = subprocess.run([*self.words, *words], cwd=ROOT, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise SystemExit(f"{shlex.join([*self.words, *words])}: {done.stdout}{done.stderr}")
        return done

    def build(self) -> None:
        """Build the image, with all that the engine says about it, or take the one that is named."""
        if not self.image:
            self.image = "zerkalo:tried"
            options = shlex.split(os.environ.get("ENGINE_BUILD", ""))
            subprocess.run([*self.words, "build", *options, "-t", self.image, "."], cwd=ROOT, check=True)

    def about_image(self) -> dict[str, Any]:
        """What the engine knows of the image."""
        return json.loads(self.say("image", "inspect", self.image).stdout)[0]

    def inside(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the container."""
        return self.say("exec", NAME, *words, check=check)

    def remove(self) -> None:
        """Leave no container and no volume behind."""
        self.say("rm", "-f", NAME, check=False)
        self.say("volume", "rm", "-f", NAME, check=False)


def tell(line: str) -> None:
    """A line for whoever waits."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def become_healthy(engine: Engine, check: list[str]) -> None:
    """Wait until the image's own health check holds."""
    until = time.monotonic() + START_SECONDS_MAX
    while (done := engine.inside(*check, check=False)).returncode:
        logs = engine.say("logs", NAME, check=False)
        assert time.monotonic() < until, f"{done.stdout}{done.stderr}{logs.stdout}{logs.stderr}"
        time.sleep(1)


def see_what_it_may(engine: Engine) -> None:
    """A user of its own, who can write to its data and nowhere else."""
    assert engine.inside("id", "-u").stdout.strip() == USER
    assert engine.inside("sh", "-c", "cut -z -d/ -f1 /proc/1/cmdline").stdout.startswith("tini")
    status = dict(
        line.split(":\t", 1)
        for line in engine.inside("cat", "/proc/1/status").stdout.splitlines()
        if ":\t" in line
    )
    assert int(status["CapEff"], 16) == 0, "it holds no capability"
    for path in ("/here", "/opt/zerkalo/here"):
        assert engine.inside("touch", path, check=False).returncode, f"{path} can be written"
    assert engine.inside("stat", "-c", "%u %a", "/data").stdout.strip() == f"{USER} 700"


def survive(engine: Engine, check: list[str]) -> None:
    """What it has been given is there after a stop in order, and after a kill."""
    engine.inside("zerkalo", "user", "add", ANNA, "--password", "correct horse battery")
    engine.inside("zerkalo", "backup", "/data/salon.dump")
    began_at = time.monotonic()
    engine.say("stop", "-t", "30", NAME)
    seconds = time.monotonic() - began_at
    assert seconds < STOP_SECONDS_MAX, f"stopped after {seconds:.0f} s only"
    logs = engine.say("logs", NAME)
    assert "Application shutdown complete" in logs.stdout + logs.stderr
    (state,) = json.loads(engine.say("inspect", NAME).stdout)
    assert state["State"]["ExitCode"] == 0, state["State"]
    tell(f"stopped in order after {seconds:.1f} s")
    for how in ("a stop", "a kill"):
        engine.say("start", NAME)
        become_healthy(engine, check)
        assert ANNA in engine.inside("zerkalo", "user", "list").stdout, f"lost by {how}"
        engine.say("kill", NAME)
    tell("its data are there after a stop and after a kill")


def main() -> None:
    """Raises, or ends with what was seen."""
    engine = Engine()
    engine.build()
    about = engine.about_image()
    assert about["Size"] < SIZE_BYTES_MAX, f"{about['Size']:,} bytes"
    tell(f"the image has {about['Size'] / 1e6:.0f} MB")
    check = (about["Config"].get("Healthcheck") or about["Healthcheck"])["Test"][1:]
    engine.remove()
    try:
        options = shlex.split(os.environ.get("ENGINE_RUN", ""))
        engine.say("run", "-d", "--name", NAME, *LOCKED, "-v", f"{NAME}:/data", *options, engine.image)
        become_healthy(engine, check)
        tell(f"healthy by `{shlex.join(check)}`, with no network at all")
        see_what_it_may(engine)
        tell(f"runs as {USER}, holds no capability, writes to /data only")
        survive(engine, check)
    finally:
        engine.remove()


if __name__ == "__main__":
    main()

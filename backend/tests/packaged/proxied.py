"""`make proxied`: two servers behind nginx, then Caddy, with our files for them, restarted one after the other under load."""

import asyncio
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx2

from tests.integration.processes.test_sync_processes import as_url
from tests.packaged import PACKAGING, program, written
from tests.packaged.load import PATIENCE_SECONDS, SECRET, event, failed, restart_under_load
from tests.support.application import free_port
from tests.support.database import open_folder, test_server
from tests.support.project import BACKEND

REGISTRATIONS_MAX = 20
"""In an hour, from one address."""
READY_SECONDS_MAX = 300.0
COMMAND = (sys.executable, "-c", "from zerkalo.cli.main import main; main()")


class Servers:
    """Real `zerkalo serve` processes on one database."""

    def __init__(self, folder: Path, dsn: str, ports: tuple[int, int]) -> None:
        self.ports = ports
        self._folder = folder
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(BACKEND),
            "DATABASE_URL": as_url(dsn),
            "SECRET_KEY": "a signing key of the tests, long enough",
            "DATA_DIR": str(folder / "data"),
            "YCLIENTS_ENABLED": "True",
            "YCLIENTS_API_URL": "http://127.0.0.1:9/api/v1",
            "YCLIENTS_COMPANY_ID": "100200",
            "YCLIENTS_PARTNER_TOKEN": "partner",
            "YCLIENTS_USER_TOKEN": "user",
            "YCLIENTS_WEBHOOK_SECRET": SECRET,
            "PUBLIC_URL": "https://salon.example",
            "STOP_DELAY_SECONDS": "5",
        }
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    async def start(self, port: int) -> None:
        """Start one and wait until it is ready."""
        with (self._folder / f"server-{port}.log").open("ab") as log:
            self._running[port] = subprocess.Popen(
                [*COMMAND, "serve", "--port", str(port)],
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        async with httpx2.AsyncClient(trust_env=False) as client, asyncio.timeout(READY_SECONDS_MAX):
            while True:
                with suppress(httpx2.TransportError):
                    if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == httpx2.codes.OK:
                        return
                if self._running[port].poll() is not None:
                    raise SystemExit((self._folder / f"server-{port}.log").read_text("utf-8"))
                await asyncio.sleep(0.1)

    async def stop(self, port: int) -> None:
        """End one in order, as systemd does."""
        self._running[port].terminate()
        await asyncio.to_thread(self._running[port].wait, READY_SECONDS_MAX)

    async def restart(self, port: int) -> None:
        """As a new version is brought out."""
        await self.stop(port)
        await self.start(port)

    def kill(self) -> None:
        """End what is left."""
        for process in self._running.values():
            process.kill()
            process.wait()


@contextmanager
def nginx(folder: Path, servers: Servers, https: int) -> Iterator[Path]:
    """Yields the folder of the logs of an nginx with our file, but for its ports and paths."""
    logs, key, certificate = folder / "logs", folder / "key.pem", folder / "cert.pem"
    logs.mkdir()
    _run(
        *(program("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-subj", "/CN=salon.example", "-addext", "subjectAltName=DNS:salon.example"),
        *("-keyout", str(key), "-out", str(certificate)),
    )
    ours = (PACKAGING / "nginx" / "zerkalo.conf").read_text("utf-8")
    http = free_port()
    for known, here in (
        ("/etc/ssl/zerkalo/fullchain.pem", str(certificate)),
        ("/etc/ssl/zerkalo/privkey.pem", str(key)),
        ("/var/log/nginx", str(logs)),
        ("127.0.0.1:8000", f"127.0.0.1:{servers.ports[0]}"),
        ("127.0.0.1:8001", f"127.0.0.1:{servers.ports[1]}"),
        ("listen 80;", f"listen 127.0.0.1:{http};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{https} ssl"),
    ):
        assert known in ours, known
        ours = ours.replace(known, here)
    ours = re.sub(r"\n *listen \[::\].*", "", ours)  # the machine may have no IPv6
    temporary = "".join(
        f"{kind}_temp_path {folder}/tmp-{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    conf = written(
        folder / "nginx.conf",
        f"daemon off; pid {folder}/nginx.pid; error_log {logs}/error.log;\n"
        f"events {{}}\nhttp {{\n{temporary}access_log off;\n{ours}}}\n",
    )
    binary = program("nginx", "nginx-light")
    _run(binary, "-t", "-q", "-c", str(conf))
    running = subprocess.Popen([binary, "-c", str(conf)])
    try:
        _once_listening(https)
        yield logs
    finally:
        running.terminate()
        running.wait(30)


@contextmanager
def caddy(folder: Path, servers: Servers, https: int) -> Iterator[Path]:
    """Yields the folder of the log of a Caddy with our file; what the test needs is added to its options and in the environment."""
    logs, state = folder / "logs", folder / "caddy"
    logs.mkdir()
    ours, binary = (PACKAGING / "caddy" / "Caddyfile").read_text("utf-8"), program("caddy", "caddy")
    for_the_test = (
        f"http_port {free_port()}\nhttps_port {https}\nlocal_certs\nskip_install_trust\nadmin off\n"
        f"default_bind 127.0.0.1\nstorage file_system {state}\n"
    )
    assert "\n{\n" in ours, "the options of all sites"
    conf = written(folder / "Caddyfile", ours.replace("\n{\n", f"\n{{\n{for_the_test}", 1))
    words = (binary, "run", "--adapter", "caddyfile", "--config", str(conf))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "ZERKALO_DOMAIN": "127.0.0.1",
        "ZERKALO_SERVERS": " ".join(f"127.0.0.1:{port}" for port in servers.ports),
    }
    with (logs / "caddy.log").open("wb") as log:
        running = subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        root = state / "pki" / "authorities" / "local" / "root.crt"
        written(folder / "cert.pem", _once_there(root, state / "certificates" / "local" / "127.0.0.1"))
        yield logs
    finally:
        running.terminate()
        running.wait(30)


def _once_listening(port: int) -> None:
    until = time.monotonic() + READY_SECONDS_MAX
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < until, "the proxy does not listen"
        time.sleep(0.1)


def _once_there(root: Path, certificate: Path) -> str:
    """The text of Caddy's own root, as soon as the certificate of the site is made."""
    until = time.monotonic() + READY_SECONDS_MAX
    while not list(certificate.glob("*.key")):
        assert time.monotonic() < until, "Caddy made no certificate"
        time.sleep(0.1)
    return root.read_text("utf-8")


def _run(*words: str) -> str:
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{' '.join(words)}: {ended.stdout}{ended.stderr}")
    return ended.stdout


@asynccontextmanager
async def caller(folder: Path, https: int, address: str = "127.0.0.2") -> AsyncIterator[httpx2.AsyncClient]:
    """Yields a caller through nginx, from an address that the servers do not trust."""
    trusted = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    trusted.check_hostname = False  # it is asked by its number
    transport = httpx2.AsyncHTTPTransport(verify=trusted, local_address=address)
    async with httpx2.AsyncClient(
        transport=transport, base_url=f"https://127.0.0.1:{https}", timeout=PATIENCE_SECONDS
    ) as client:
        yield client


async def see_what_it_forwards(folder: Path, https: int) -> None:
    """HTTP/2, the scheme and the caller's address reach the server; nobody can choose whom the limits count for."""
    curl = program("curl", "curl")
    base = f"https://127.0.0.1:{https}"
    assert _run(curl, "-sk", "--http2", "-o", "/dev/null", "-w", "%{http_version}", base + "/") == "2"
    assert _run(curl, "-sk", "-o", "/dev/null", "-w", "%{http_code}", base + "/metrics") == "403"
    async with caller(folder, https) as one, caller(folder, https, "127.0.0.3") as other:
        page = await one.get("/me/sign-in")
        assert all(
            "__Host-" in cookie and "Secure" in cookie for cookie in page.headers.get_list("set-cookie")
        )
        assert page.headers.get_list("set-cookie"), "the page has a form with a cookie of its own"

        async def registered(client: httpx2.AsyncClient, number: int) -> int:
            body = {"email": f"user{number}@salon.example", "password": "correct horse battery"}
            forged = {"X-Forwarded-For": f"203.0.113.{number}"}
            return (await client.post("/api/v1/auth/register", json=body, headers=forged)).status_code

        statuses = [await registered(one, number) for number in range(REGISTRATIONS_MAX + 1)]
        assert statuses == [201] * REGISTRATIONS_MAX + [429], statuses
        assert await registered(other, 99) == httpx2.codes.CREATED, "another caller has a limit of their own"


async def see_an_outage(client: httpx2.AsyncClient, servers: Servers) -> None:
    """With no server there the proxy says so to the caller, and writes of it too."""
    for port in servers.ports:
        await servers.stop(port)
    for address in (f"/api/v1/yclients/webhook/{SECRET}", f"/api/v1/yclients/webhook?token={SECRET}"):
        answer = await client.post(address, json=event(1))
        assert answer.status_code in (502, 503), answer.status_code


Proxy = Callable[[Path, Servers, int], AbstractContextManager[Path]]
PROXIES: dict[str, tuple[Proxy, tuple[str, str]]] = {
    "nginx": (nginx, ('POST /api/v1/yclients/webhook"', "/webhook/***")),
    "Caddy": (caddy, ("/api/v1/yclients/webhook?***", "/webhook/***")),
}
"""A proxy in front, and how its log shows the two forms of the webhook's address."""


async def try_behind(name: str) -> None:
    """Raises, or ends with what was answered through this proxy."""
    proxy, shown = PROXIES[name]
    with test_server() as database, database.database() as dsn, open_folder() as folder:
        servers, https = Servers(folder, dsn, (free_port(), free_port())), free_port()
        try:
            for port in servers.ports:
                await servers.start(port)
            with proxy(folder, servers, https) as logs:
                await see_what_it_forwards(folder, https)
                restarts = [partial(servers.restart, port) for port in servers.ports]
                answers = await restart_under_load(partial(caller, folder, https), restarts)
                async with caller(folder, https) as client:
                    await client.post(f"/api/v1/yclients/webhook/{SECRET}", json=event(1))
                    await see_an_outage(client, servers)
                said = "".join(path.read_text("utf-8") for path in sorted(logs.iterdir()))
        finally:
            servers.kill()
        told = said + "".join(path.read_text("utf-8") for path in folder.glob("server-*.log"))
    sys.stdout.write(json.dumps(answers, indent=1, sort_keys=True) + "\n")
    complaints = [line for line in said.splitlines() if "http.log.error" in line or "[error]" in line]
    assert not failed(answers), "\n".join([str(failed(answers)), *complaints[:5]])
    assert all(address in said for address in shown), f"the calls stand in the log of {name}"
    assert SECRET not in told, "the secret stands in a log"
    sys.stdout.write(
        f"{answers.total()} calls through {name}, both servers restarted: 0 failed; no secret in a log\n"
    )


async def main() -> None:
    """Try each, or those that are named."""
    for name in sys.argv[1:] or PROXIES:
        await try_behind(name)


if __name__ == "__main__":
    asyncio.run(main())

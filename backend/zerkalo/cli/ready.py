"""`zerkalo ready`: whether a running server can serve, for health checks of containers and load balancers."""

import urllib.error
import urllib.request
from typing import Annotated

import typer

from zerkalo.cli.shared.failure import CommandFailed

TIMEOUT_SECONDS = 5.0


def ready(
    url: Annotated[str, typer.Argument(help="Where the server answers.")] = "http://127.0.0.1:8000",
) -> None:
    """Ask a running server whether it can serve; exits 1 if not. Reads no settings and touches no data."""
    address = f"{url.rstrip('/')}/readyz"
    if not address.startswith(("http://", "https://")):
        raise CommandFailed(f"{url} is no address of a server; for example http://127.0.0.1:8000")
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS):  # noqa: S310  http or https, seen above
            return
    except urllib.error.HTTPError as error:
        told = error.read(300).decode(errors="replace")
        raise CommandFailed(f"{address} answers {error.code}: {told}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise CommandFailed(
            f"{address} does not answer ({reason}): is `zerkalo serve` running there?"
        ) from None

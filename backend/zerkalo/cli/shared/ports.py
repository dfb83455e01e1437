"""Checking that a server can listen on its port, before anything else is started."""

import socket

from zerkalo.cli.shared.failure import CommandFailed


def see_that_it_is_free(host: str, port: int, *, options: str) -> None:
    """Raise `CommandFailed` where nothing can listen on `host` and `port`; `options` name how to choose another address."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as probe:
                # As the servers do: connections of the last server in TIME_WAIT don't matter.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no name of a machine"
        raise CommandFailed(
            f"can't listen on {host}, port {port} ({reason}): stop what uses it, or choose another with {options}"
        ) from None

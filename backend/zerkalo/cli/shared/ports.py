"""Whether a server could listen where it is told to, asked before anything is started for it."""

import socket

from zerkalo.cli.shared.failure import CommandFailed


def see_that_it_is_free(host: str, port: int, *, options: str) -> None:
    """Raise `CommandFailed` where nothing can listen on `host` and `port`; `options` are those that choose another place."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as probe:
                # As the servers do: what a connection of the last server left behind is no hindrance.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no name of a machine"
        raise CommandFailed(
            f"can't listen on {host}, port {port} ({reason}): stop what uses it, or choose another with {options}"
        ) from None

"""How the contact of an erased person is recognised without being stored. Pure."""

import hmac

from zerkalo.outbox.model import Channel
from zerkalo.users.model import User


def contact_digest(key: bytes, channel: Channel, contact: str) -> bytes:
    """A digest of a canonical contact that only this installation can make."""
    return hmac.digest(key, f"erased|{channel}|{contact.lower()}".encode(errors="replace"), "sha256")


def digests_of(key: bytes, user: User) -> list[bytes]:
    """The contacts that the user has proved."""
    proved = [
        (channel, user.contact(channel)) for channel in Channel if user.verified_at(channel) is not None
    ]
    return [contact_digest(key, channel, contact) for channel, contact in proved if contact is not None]

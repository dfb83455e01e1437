"""Who stands outside of the simulated world."""

from yclients_emulator import DeliveryFailed


class Nobody:
    """Who looks into the database from outside: never dies, never loses his connection."""

    name = "nobody"
    is_dead = False

    def die(self) -> None:
        raise AssertionError("nobody dies")


class NobodysSender:
    """The world carries the deliveries itself."""

    async def send(self, url: str, body: bytes, timeout_seconds: float) -> int:
        raise DeliveryFailed("nobody sends")

"""Hashing in threads, a bounded number at once and fairly: a flood from one address does not delay the others."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio.to_thread

from zerkalo.auth.model import TURN_LIMITS, TurnLimits
from zerkalo.auth.passwords.rules import UNKNOWN_USERS_HASH, hash_password, verify_password
from zerkalo.auth.rules import networks_of
from zerkalo.kit.problem import ProblemError


class Turns:
    """Allows `limits.at_once` at work; serves those that wait round-robin by address (IPv6: by /48)."""

    def __init__(self, limits: TurnLimits = TURN_LIMITS) -> None:
        self._limits = limits
        self._free = limits.at_once
        self._all_waiting = 0
        self._waiting: Counter[str] = Counter()
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncGenerator[None]:
        """Wait for a turn and hold it. Raises a 503 `ProblemError` where too many of the address's networks wait."""
        await self._take(networks_of(address))
        try:
            yield
        finally:
            self._give_back()

    async def _take(self, networks: tuple[tuple[str, int], ...]) -> None:
        if self._free:
            self._free -= 1
            return
        if self._all_waiting >= self._limits.all_waiting_max or any(
            self._waiting[network] >= self._limits.waiting_max * factor for network, factor in networks
        ):
            raise ProblemError(
                503,
                "busy",
                "Too many people sign in at once.",
                {"Retry-After": str(self._limits.retry_seconds)},
            )
        mine = asyncio.get_running_loop().create_future()
        self._queues.setdefault(networks[-1][0], deque()).append(mine)
        names = [network for network, _ in networks]
        self._waiting.update(names)
        self._all_waiting += 1
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._give_back()
            raise
        finally:
            self._all_waiting -= 1
            self._waiting.subtract(names)
            self._waiting += Counter()

    def _give_back(self) -> None:
        while self._queues:
            name, queue = self._queues.popitem(last=False)
            next_one = queue.popleft()
            if queue:
                self._queues[name] = queue
            if not next_one.done():
                next_one.set_result(None)
                return
        self._free += 1


_turns = Turns()


class Passwords:
    """Hashes and compares in worker threads; all instances of a process share the turns.

    `address`: the caller's, as `rules.address_subject`. A flood from one address delays only itself.
    """

    def __init__(self, turns: Turns = _turns) -> None:
        self._turns = turns

    async def hash(self, password: str, *, address: str) -> str:
        """As `hash_password`; raises a 503 `ProblemError` where too many of the address wait already."""
        async with self._turns.turn(address):
            return await anyio.to_thread.run_sync(hash_password, password)

    async def verify(self, password: str, password_hash: str | None, *, address: str) -> bool:
        """As `verify_password`; False where there is no hash, after the same time."""
        async with self._turns.turn(address):
            matches = await anyio.to_thread.run_sync(
                verify_password, password, password_hash or UNKNOWN_USERS_HASH
            )
        return matches and password_hash is not None

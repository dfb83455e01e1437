"""The event loop that everything runs on: uvloop where it exists."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, on uvloop where that exists.

    uvicorn's own option chooses a loop only where uvicorn starts it; our server uses the running one.
    """
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(work)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """The factory of a loop for a thread of its own."""
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop  # where it is used: a command that only prints its help needs none

    return uvloop.new_event_loop

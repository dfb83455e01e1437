"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

PLAIN_STEPS = 10
"""Lines of progress where there is no terminal."""


@contextmanager
def progress(what: str, total: int) -> Generator[Callable[[int], None]]:
    """Yield a function to call with how much of `total` is done; shown on stderr, so that stdout holds only results."""
    if sys.stderr.isatty():
        from rich.console import Console  # slow to import, and not needed in scripts
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)
        return
    told = 0

    def tell(done: int) -> None:
        nonlocal told
        step = max(1, total // PLAIN_STEPS)
        if done >= total or done - told >= step:
            told = done
            print(f"{what}: {done} / {total}", file=sys.stderr)

    yield tell

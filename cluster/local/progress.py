"""Shows on a terminal which server is being started or stopped."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from cluster.local.server import Progress


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Yield what :meth:`Stack.up` and :meth:`Stack.down` report to.

    On a terminal one line changes; elsewhere each server that came up is a line.
    """
    console = Console(stderr=True, highlight=False)
    with console.status("imustream") as status:

        def show(title: str, event: str) -> None:
            status.update(f"{title}: {event}")
            if event == "up":
                console.print(f"{title} is up")

        yield show

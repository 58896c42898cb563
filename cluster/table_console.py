"""The console that commands print their tables to."""

from rich.console import Console

PIPED_WIDTH = 200
"""Columns where nobody's terminal sets them: rich would take 80, and cut what a program reads."""


def table_console() -> Console:
    """Return a console as wide as the terminal, or wide enough for every table where none is."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPED_WIDTH)

"""`python -m pipelines.backfill`: what `ray job submit` runs; the options of the command line."""

import logging
import sys

import typer

from pipelines.backfill.command import backfill
from pipelines.errors import ImustreamError
from pipelines.logs import configure_logging
from pipelines.settings import load_settings


def main() -> int:
    """Run it; an error of ours is one line and exit code 2."""
    try:
        configure_logging(load_settings(), "backfill", least=logging.WARNING)
        typer.run(backfill)
    except ImustreamError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

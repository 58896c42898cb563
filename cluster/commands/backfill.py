"""`imustream backfill`: the live operators over the archive's raw files, with Ray Data."""

import functools
import os
from typing import Any

import typer

from pipelines.backfill import command


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=command.EXAMPLES)(backfill)


@functools.wraps(command.backfill)
def backfill(**options: Any) -> None:
    """Run it as the local stack's Ray is run, which Ray reads when it is imported."""
    from cluster.local.ray_head import ray_environment

    for name, value in ray_environment().items():
        os.environ.setdefault(name, value)
    command.backfill(**options)

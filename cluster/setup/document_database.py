"""The document database: a small Go program around FerretDB, built here."""

import os

from cluster.setup import tools
from cluster.setup.paths import DOCUMENTDB, ROOT
from cluster.setup.step import Step, run_tool

_SOURCE = ROOT / "cluster" / "documentdb"


def document_database() -> Step:
    """The step that builds it."""
    return Step(
        name="document-database",
        title="document database (a Go build of a minute or two)",
        inputs=tuple(_SOURCE / name for name in ("go.mod", "go.sum", "main.go")),
        is_there=DOCUMENTDB.is_file,
        install=_install,
    )


def _install() -> None:
    DOCUMENTDB.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    command = [tools.go(), "build", "-trimpath", "-mod=readonly", "-ldflags=-s -w", "-o"]
    run_tool([*map(str, command), DOCUMENTDB, "."], folder=_SOURCE, environment=environment)

"""The S3 gateway: a small Go program around versitygw, built here."""

import os

from cluster.setup import tools
from cluster.setup.paths import ROOT, S3_GATEWAY
from cluster.setup.step import Step, run_tool

_SOURCE = ROOT / "cluster" / "s3gateway"


def s3_gateway() -> Step:
    """The step that builds it."""
    return Step(
        name="s3-gateway",
        title="S3 gateway (a Go build of a minute or two)",
        inputs=tuple(_SOURCE / name for name in ("go.mod", "go.sum", "main.go")),
        is_there=S3_GATEWAY.is_file,
        install=_install,
    )


def _install() -> None:
    S3_GATEWAY.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    command = [tools.go(), "build", "-trimpath", "-mod=readonly", "-ldflags=-s -w", "-o"]
    run_tool([*map(str, command), S3_GATEWAY, "."], folder=_SOURCE, environment=environment)

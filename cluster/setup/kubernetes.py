"""What the checks of the Kubernetes manifests need: kustomize, and the schemas they are held to.

``python3 -m cluster.setup kubernetes`` puts it all under ``.tools/kubernetes``::

    bin/kustomize                  renders overlays (cluster/kubernetes/tools)
    openapi/api__v1.json           Kubernetes' own OpenAPI 3 documents, one for each group and
    openapi/apis__apps__v1.json    version
    crds/<group>/<plural>.yaml     CustomResourceDefinitions, as kubectl applies them: ray.io,
                                   kafka.strimzi.io, core.strimzi.io, cert-manager.io,
                                   acme.cert-manager.io, external-secrets.io,
                                   generators.external-secrets.io, monitoring.coreos.com

Versions and hashes stand in ``kubernetes-modules.lock`` (Go modules) and ``strimzi-jars.lock``.
"""

import os

from cluster.setup import tools
from cluster.setup.paths import KUBERNETES, KUSTOMIZE, ROOT
from cluster.setup.python_packages import PYTHON
from cluster.setup.step import Step, run_tool

_HERE = ROOT / "cluster" / "setup"
MODULES_LOCK = _HERE / "kubernetes-modules.lock"
"""A line for each Go module: its path, its version, and its hash as go.sum writes it."""

STRIMZI_LOCK = _HERE / "strimzi-jars.lock"
"""A line for each jar of Strimzi's generator: its Maven coordinates and its SHA-256."""

_KUSTOMIZE_SOURCE = ROOT / "cluster" / "kubernetes" / "tools"


def kustomize() -> Step:
    """The step that builds kustomize."""
    return Step(
        name="kustomize",
        title="kustomize (a Go build of half a minute)",
        inputs=tuple(_KUSTOMIZE_SOURCE / name for name in ("go.mod", "go.sum", "main.go")),
        is_there=KUSTOMIZE.is_file,
        install=_build_kustomize,
    )


def kubernetes_schemas() -> Step:
    """The step that gathers the schemas."""
    return Step(
        name="kubernetes-schemas",
        title="schemas of Kubernetes and its operators",
        inputs=(MODULES_LOCK, STRIMZI_LOCK, _HERE / "kubernetes_schemas.py"),
        is_there=lambda: any((KUBERNETES / "crds" / "kafka.strimzi.io").glob("*.yaml")),
        install=_gather_schemas,
    )


def _build_kustomize() -> None:
    KUSTOMIZE.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    command = [tools.go(), "build", "-trimpath", "-mod=readonly", "-ldflags=-s -w", "-o"]
    run_tool(
        [*map(str, command), KUSTOMIZE, "."], folder=_KUSTOMIZE_SOURCE, environment=environment
    )


def _gather_schemas() -> None:
    # What speaks to Maven Central and reads YAML is in the virtual environment.
    run_tool([PYTHON, "-m", "cluster.setup.kubernetes_schemas"])

"""Where things lie in a checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
"""Everything that set-up installs besides the virtual environment; removing it undoes that."""

KAFKA_JARS = TOOLS / "kafka"
DEBIAN_ROOT = TOOLS / "debian"
"""Debian packages unpacked without root: `usr/sbin/mosquitto` and the libraries it needs."""

DOCUMENTDB = TOOLS / "bin" / "documentdb"
S3_GATEWAY = TOOLS / "bin" / "versitygw"
KUBERNETES = TOOLS / "kubernetes"
"""What the checks of the manifests need; its folders stand in :mod:`cluster.setup.kubernetes`."""

KUSTOMIZE = KUBERNETES / "bin" / "kustomize"
NODE_MODULES = ROOT / "node_modules"

#!/bin/sh
# onnxruntime for CUDA in place of the one for CPUs, with CUDA's own libraries; the driver comes from
# the node.
set -eu
/opt/venv/bin/pip --disable-pip-version-check uninstall --quiet --yes onnxruntime
/opt/venv/bin/pip --disable-pip-version-check --no-cache-dir install --quiet --no-deps \
  --require-hashes -r "$(dirname "$0")/requirements-gpu.lock"

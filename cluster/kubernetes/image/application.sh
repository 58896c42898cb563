#!/bin/sh
# imustream itself, in /app; what each pod copies into its /run/imustream (compiled operators, and
# empty folders) lies in /opt/imustream/run.
set -eu
/opt/venv/bin/pip --disable-pip-version-check --no-cache-dir install --quiet \
  --no-deps --no-build-isolation --editable /app
/opt/venv/bin/python -m compileall -q /app/actors /app/cluster /app/pipelines /app/serve /app/simulator
mkdir -p /opt/imustream/run/compiled /opt/imustream/run/metrics /opt/imustream/run/proxy
cd /app
XDG_CACHE_HOME=/opt/imustream/run/compiled /opt/venv/bin/python -m pipelines.operators.warm
chmod -R a+rX /app /opt

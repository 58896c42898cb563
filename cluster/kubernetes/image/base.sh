#!/bin/sh
# The user that everything runs as, and the two folders that pods mount writable; the rest of the
# root file system is read-only. /bin/bash, which KubeRay starts `ray` by, comes with Debian.
set -eu
groupadd --gid 10001 imustream
useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin imustream
install -d -o 10001 -g 10001 /run/imustream

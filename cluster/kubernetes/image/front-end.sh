#!/bin/sh
# The packages that the dashboard serves to browsers, into ./node_modules.
set -eu
npm ci --omit=dev --ignore-scripts --no-audit --no-fund

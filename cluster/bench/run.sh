#!/usr/bin/env bash
# The figures of BENCHMARKS.md: a fresh stack, a warm-up for Kafka's compiler, then each benchmark.
set -euo pipefail
imustream=.venv/bin/imustream
$imustream up
trap '$imustream down' EXIT
$imustream bench latency --sensors 1000 --seconds 60 --watch 50 > /dev/null
echo "latency, 1,000 sensors x 200 Hz, three runs"
for _ in 1 2 3; do
  $imustream bench latency --sensors 1000 --seconds 30 --watch 50 --json
done
echo "recovery after SIGKILL"
$imustream bench recovery --json
for slots in 1 2; do
  $imustream scale sensor-processing --slots $slots > /dev/null
  echo "drain with $slots slots, three runs"
  for _ in 1 2 3; do
    $imustream bench drain --sensors 1000 --seconds 60 --json
  done
done

#!/usr/bin/env bash
# The figures of BENCHMARKS.md: a fresh stack, a warm-up for Kafka's compiler, then each benchmark.
set -euo pipefail
imustream=.venv/bin/imustream
later="ml-inference session-aggregation session-writer archive"
$imustream up
trap '$imustream down' EXIT
$imustream bench latency --sensors 1000 --seconds 60 --watch 50 > /dev/null
for sensors in 1000 750 500; do
  echo "the whole map, $sensors sensors x 200 Hz"
  $imustream bench map --sensors $sensors --seconds 60 --watch 20 --json
done
echo "ml_inference against onnxruntime alone"
$imustream bench inference --json
echo "the archive against pyarrow alone"
$imustream bench archive --json
# What follows measures the first pipeline: the others would take its two cores.
for pipeline in $later; do $imustream pause $pipeline > /dev/null; done
echo "latency, 1,000 sensors x 200 Hz, three runs"
for _ in 1 2 3; do
  $imustream bench latency --sensors 1000 --seconds 30 --watch 50 --json
done
echo "1,000 WebSocket clients on one sensor, and on 1,000 sensors"
$imustream bench live --clients 1000 --sensors 1 --json
for rate in 20 200; do
  $imustream bench live --clients 1000 --sensors 1000 --rate $rate --json
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

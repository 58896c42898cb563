"""The data path: frames, topics, settings, operators and the transactional runtime."""

import os

# Since 1.29 onnxruntime reports to its makers, and keeps an identifier of the machine in the cache
# folder, from the moment that it is imported. Nobody who runs imustream was asked.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

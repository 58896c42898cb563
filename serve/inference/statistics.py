"""What became of the requests for each model: the protocol's statistics extension."""

from dataclasses import dataclass, field
from typing import Any

from serve.inference.jobs import Timing


@dataclass
class Duration:
    """How often something happened, and how long it took together."""

    count: int = 0
    ns: int = 0

    def add(self, ns: int) -> None:
        """Count one."""
        self.count += 1
        self.ns += max(0, ns)

    def report(self) -> dict[str, int]:
        """Return it as the protocol says it."""
        return {"count": self.count, "ns": self.ns}


_STAGES = (
    "success",
    "fail",
    "queue",
    "compute_input",
    "compute_infer",
    "compute_output",
    "cache_hit",
    "cache_miss",
)


@dataclass
class VersionStatistics:
    """The HTTP requests for one version since this replica started."""

    last_inference_ms: int = 0
    sequences: int = 0
    executions: int = 0
    stages: dict[str, Duration] = field(
        default_factory=lambda: {stage: Duration() for stage in _STAGES}
    )
    batches: dict[int, Duration] = field(default_factory=dict)

    def succeeded(
        self, now_ms: int, sequences: int, timing: Timing, input_ns: int, output_ns: int, ns: int
    ) -> None:
        """Count a request that was answered; times in nanoseconds, ``now_ms`` since the epoch."""
        self.last_inference_ms = now_ms
        self.sequences += sequences
        self.stages["success"].add(ns)
        self.stages["queue"].add(timing.queue_ns)
        self.stages["compute_input"].add(input_ns)
        self.stages["compute_infer"].add(timing.compute_ns)
        self.stages["compute_output"].add(output_ns)
        if timing.leads:
            self.executions += 1
            self.batches.setdefault(timing.sequences, Duration()).add(timing.compute_ns)

    def failed(self, ns: int) -> None:
        """Count a request that was not."""
        self.stages["fail"].add(ns)

    def report(self, name: str, version: str) -> dict[str, Any]:
        """Return it as the protocol says it."""
        return {
            "name": name,
            "version": version,
            "last_inference": self.last_inference_ms,
            "inference_count": self.sequences,
            "execution_count": self.executions,
            "inference_stats": {
                stage: duration.report() for stage, duration in self.stages.items()
            },
            "batch_stats": [
                {"batch_size": size, "compute_infer": duration.report()}
                for size, duration in sorted(self.batches.items())
            ],
        }


class Statistics:
    """The statistics of all versions that were asked for."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], VersionStatistics] = {}

    def of(self, name: str, version: str) -> VersionStatistics:
        """Return those of a version, which must be known to exist."""
        return self._versions.setdefault((name, version), VersionStatistics())

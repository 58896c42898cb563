"""Run what several requests ask for in as few calls of onnxruntime as can be."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipelines import metrics
from serve.inference.batches import Predicted, Sequences, grouped, joined, parted
from serve.inference.loaded_models import LoadedModel


class Timing(NamedTuple):
    """What became of a request: when, and whether it is the one that counts for its batch."""

    queue_ns: int
    compute_ns: int
    sequences: int
    leads: bool


@dataclass(frozen=True)
class Job:
    """Sequences that wait to be run by a model; ``arrived_ns`` is of the performance counter."""

    loaded: LoadedModel
    sequences: Sequences
    arrived_ns: int


def run_batch(loaded: LoadedModel, sequences: Sequences) -> Predicted:
    """Run sequences side by side, and tell how many and how long it took."""
    began_s = time.perf_counter()
    predicted = loaded.run(sequences)
    which = loaded.id.name, loaded.id.version
    count = sequences.features.shape[1]
    metrics.INFERENCE_SECONDS.observe(time.perf_counter() - began_s, *which)
    metrics.INFERENCE_BATCH_SIZE.observe(count, *which)
    metrics.INFERENCE_SEQUENCES.add(count, *which)
    return predicted


def run_jobs(jobs: Sequence[Job]) -> list[tuple[Predicted, Timing] | Exception]:
    """Return what each job comes to: those of one model and length are run together."""
    outcomes: list[tuple[Predicted, Timing] | Exception | None] = [None] * len(jobs)
    keys = [(id(job.loaded), job.sequences.features.shape[0]) for job in jobs]
    for places in grouped(keys).values():
        parts = [jobs[place].sequences for place in places]
        started_ns = time.perf_counter_ns()
        try:
            predicted = run_batch(jobs[places[0]].loaded, joined(parts))
        except Exception as error:  # onnxruntime's own exceptions share no other base.
            for place in places:
                outcomes[place] = error
            continue
        compute_ns = time.perf_counter_ns() - started_ns
        sizes = [part.features.shape[1] for part in parts]
        for place, one in zip(places, parted(predicted, sizes), strict=True):
            queue_ns = started_ns - jobs[place].arrived_ns
            timing = Timing(queue_ns, compute_ns, sum(sizes), place == places[0])
            outcomes[place] = one, timing
    return [outcome for outcome in outcomes if outcome is not None]

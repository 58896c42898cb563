"""A batch taken in at once counts as its values one by one would."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from pipelines.batch_histogram import BatchHistogram

_BUCKETS = (0.005, 0.05, 0.5, 5.0)
_NEAR = [0.0, -1.0, 1e9, *_BUCKETS, *np.nextafter(_BUCKETS, 10).tolist()]


def _samples(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("le", "")): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if not sample.name.endswith(("_created", "_sum"))
    }


@given(st.lists(st.sampled_from(_NEAR) | st.floats(-10, 100), max_size=50))
def test_a_batch_counts_as_its_values_one_by_one_would(values: list[float]) -> None:
    at_once, one_by_one = CollectorRegistry(), CollectorRegistry()
    batch = BatchHistogram("all_seconds", "", ["stage"], registry=at_once, buckets=_BUCKETS)
    single = BatchHistogram("all_seconds", "", ["stage"], registry=one_by_one, buckets=_BUCKETS)
    batch.labels("kafka").observe_all(np.array(values))
    for value in values:
        single.labels("kafka").observe(value)
    single.labels("kafka")

    assert _samples(at_once) == _samples(one_by_one)
    found = at_once.get_sample_value("all_seconds_sum", {"stage": "kafka"})
    assert found is not None and np.isclose(found, sum(values))

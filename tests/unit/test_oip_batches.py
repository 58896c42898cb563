"""Batches: each request gets what it would have got alone, however they are put together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_model import small_inputs, small_model_files, small_onnx

from pipelines.models.model_files import read_model
from pipelines.models.onnx_session import open_session, run_sequences
from pipelines.settings import InferenceSettings
from serve.inference.admission import Admission
from serve.inference.batches import Sequences, grouped, joined
from serve.inference.jobs import Job, run_jobs
from serve.inference.loaded_models import LoadedModel
from serve.inference.refusal import RefusedError

SETTINGS = InferenceSettings(max_batch=4)
MODELS = [
    LoadedModel(read_model("m", str(k), small_model_files("m", str(k), seed=k), "m"), SETTINGS)
    for k in (1, 2)
]
SESSIONS = [open_session(small_onnx(seed=k)) for k in (1, 2)]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 3), st.integers(1, 3)), min_size=1))
def test_each_request_of_a_batch_gets_what_it_would_have_got_alone(
    asked: list[tuple[int, int, int]],
) -> None:
    jobs = []
    for seed, (model, time, batch) in enumerate(asked):
        inputs = Sequences(*small_inputs(time, batch, seed=seed).values())
        jobs.append(Job(MODELS[model], inputs, 0))
    outcomes = run_jobs(jobs)
    assert len(outcomes) == len(jobs)
    leads = 0
    for job, outcome, (model, _, _) in zip(jobs, outcomes, asked, strict=True):
        assert not isinstance(outcome, Exception)
        predicted, timing = outcome
        leads += timing.leads
        alone = run_sequences(SESSIONS[model], *job.sequences)
        for together, one in zip(predicted, alone, strict=True):
            np.testing.assert_allclose(together, one, atol=1e-5)
    assert leads == len({(model, time) for model, time, _ in asked})


def test_a_request_that_fails_takes_no_other_with_it() -> None:
    good = Sequences(*small_inputs(2, 1).values())
    bad = Sequences(*small_inputs(3, 1, hidden_units=5).values())
    failed, answered = run_jobs([Job(MODELS[0], bad, 0), Job(MODELS[0], good, 0)])
    assert isinstance(failed, Exception)
    assert not isinstance(answered, Exception)


def test_places_are_grouped_by_their_keys_in_order() -> None:
    assert grouped(["b", "a", "b"]) == {"b": [0, 2], "a": [1]}


def test_a_single_request_is_run_without_a_copy() -> None:
    alone = Sequences(*small_inputs(2, 1).values())
    assert joined([alone]) is alone


def test_a_request_beyond_the_bound_is_refused_at_once_and_told_when_to_come_back() -> None:
    admission = Admission(most_requests=1, most_bytes=10)
    with admission.place() as place:
        place.hold(10)
        with pytest.raises(RefusedError) as full, admission.place():
            pass
        with pytest.raises(RefusedError, match="max_queue_bytes"):
            place.hold(1)
    assert full.value.status == 503
    assert full.value.headers == {"Retry-After": "1"}
    with admission.place() as place:
        place.hold(10)

"""What the keeper of a cluster's processors does next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kubernetes.keeper_plan import (
    LONGEST_RETRY_S,
    MAX_FAILURES,
    MAX_RUN_S,
    Job,
    Status,
    Step,
    next_step,
    retry_after_s,
)

NOW_S = 10_000.0


def job(status: Status, began_s: float, version: str = "v2", program: str = "actors") -> Job:
    return Job(f"job-{began_s}", program, version, status, began_s, began_s + 1, "")


def step(*jobs: Job, now_s: float = NOW_S, since_s: float = 0.0) -> Step:
    return next_step("actors", "v2", jobs, now_s, since_s).step


def test_a_new_cluster_is_given_the_program() -> None:
    assert step() is Step.SUBMIT


def test_other_code_or_settings_are_submitted_although_the_old_ran() -> None:
    assert step(job(Status.SUCCEEDED, 1, version="v1")) is Step.SUBMIT


def test_another_program_is_none_of_its_business() -> None:
    assert step(job(Status.SUCCEEDED, 1, program="inference")) is Step.SUBMIT


def test_what_has_succeeded_is_left_alone() -> None:
    assert step(job(Status.FAILED, 1), job(Status.SUCCEEDED, 2)) is Step.NOTHING


def test_what_runs_is_waited_for_and_stopped_when_it_hangs() -> None:
    running = job(Status.RUNNING, NOW_S - 1)
    assert step(running) is Step.WAIT
    assert step(running, now_s=NOW_S + MAX_RUN_S) is Step.STOP


def test_a_failure_is_tried_again_after_a_while() -> None:
    failed = job(Status.FAILED, NOW_S)
    assert step(failed, now_s=failed.ended_s + 0.1) is Step.WAIT
    assert step(failed, now_s=failed.ended_s + retry_after_s(1)) is Step.SUBMIT


def test_it_gives_up_after_too_many_failures_one_after_another() -> None:
    failed = [job(Status.FAILED, float(k)) for k in range(MAX_FAILURES)]
    assert step(*failed[1:]) is Step.SUBMIT
    assert step(*failed) is Step.GIVE_UP


def test_a_keeper_that_was_started_anew_counts_anew() -> None:
    failed = [job(Status.FAILED, float(k)) for k in range(MAX_FAILURES)]
    assert step(*failed, since_s=100.0) is Step.SUBMIT


@given(st.integers(0, 10_000))
def test_the_wait_grows_and_is_bounded(failures: int) -> None:
    assert retry_after_s(failures) <= retry_after_s(failures + 1) <= LONGEST_RETRY_S


@given(st.permutations([job(Status.FAILED, 1), job(Status.RUNNING, 2), job(Status.SUCCEEDED, 3)]))
def test_the_order_in_which_ray_lists_jobs_does_not_matter(jobs: list[Job]) -> None:
    assert step(*jobs) is Step.NOTHING


@pytest.mark.parametrize("status", Status)
def test_the_last_job_decides(status: Status) -> None:
    answers = {
        Status.RUNNING: Step.WAIT,
        Status.SUCCEEDED: Step.NOTHING,
        Status.FAILED: Step.SUBMIT,
    }
    assert step(job(Status.SUCCEEDED, 1), job(status, NOW_S - 100)) is answers[status]

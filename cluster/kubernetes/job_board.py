"""The jobs of a Ray cluster, by its API for jobs: those that the keeper has submitted."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ray.job_submission import JobStatus, JobSubmissionClient
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from cluster.kubernetes.keeper_plan import Job, Status
from pipelines.errors import UnavailableError

_PROGRAM = "imustream-program"
_VERSION = "imustream-version"
_TRIES = 4
_LONGEST_WAIT_S = 5.0
_STATUS = {
    JobStatus.PENDING: Status.RUNNING,
    JobStatus.RUNNING: Status.RUNNING,
    JobStatus.SUCCEEDED: Status.SUCCEEDED,
    JobStatus.STOPPED: Status.FAILED,
    JobStatus.FAILED: Status.FAILED,
}
_UNREACHABLE = (ConnectionError, OSError, RuntimeError)
"""The client raises RuntimeError for every answer that is no success, 503 among them."""

T = TypeVar("T")


class JobBoard:
    """Reads and submits jobs; each question is tried a few times before it counts as unanswered."""

    def __init__(self, url: str) -> None:
        """``url``: of Ray's dashboard. A token is taken from RAY_AUTH_TOKEN, as Ray does."""
        self._url = url
        self._client: JobSubmissionClient | None = None
        logging.getLogger("ray.dashboard").setLevel(logging.ERROR)

    def jobs(self) -> list[Job]:
        """Return the jobs that keepers have submitted to this cluster.

        Raises:
            UnavailableError: Ray does not answer, or refuses the token.
        """
        found = self._ask(lambda client: client.list_jobs())
        return [_job(one) for one in found if _PROGRAM in (one.metadata or {})]

    def submit(self, program: str, version: str, command: str, env: Mapping[str, str]) -> str:
        """Submit a program; return the job's id.

        Raises:
            UnavailableError: as :meth:`jobs`.
        """
        return self._ask(
            lambda client: client.submit_job(
                entrypoint=command,
                runtime_env={"env_vars": dict(env)},
                metadata={_PROGRAM: program, _VERSION: version},
            ),
            tries=1,  # Asked twice it would run twice.
        )

    def stop(self, job_id: str) -> None:
        """Stop a job.

        Raises:
            UnavailableError: as :meth:`jobs`.
        """
        self._ask(lambda client: client.stop_job(job_id))

    def last_words(self, job_id: str) -> str:
        """Return the last line that a job has written; empty where there is none.

        Raises:
            UnavailableError: as :meth:`jobs`.
        """
        lines = self._ask(lambda client: client.get_job_logs(job_id)).strip().splitlines()
        return lines[-1] if lines else ""

    def _ask(self, question: Callable[[JobSubmissionClient], T], tries: int = _TRIES) -> T:
        try:
            for attempt in Retrying(
                stop=stop_after_attempt(tries),
                wait=wait_exponential(multiplier=0.5, max=_LONGEST_WAIT_S),
                retry=retry_if_exception_type(_UNREACHABLE),
                reraise=True,
            ):
                with attempt:
                    return question(self._connected())
        except _UNREACHABLE as error:
            self._client = None
            raise UnavailableError(
                f"no Ray at {self._url} ({_first_line(error)}); see that the RayCluster's head "
                "runs, and that RAY_AUTH_TOKEN is its token"
            ) from None
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _connected(self) -> JobSubmissionClient:
        # Making a client asks for Ray's version, and takes seconds where nobody answers.
        self._client = self._client or JobSubmissionClient(self._url)
        return self._client


def _job(one: Any) -> Job:
    return Job(
        one.submission_id,
        one.metadata[_PROGRAM],
        one.metadata.get(_VERSION, ""),
        _STATUS[one.status],
        (one.start_time or 0) / 1000,
        (one.end_time or one.start_time or 0) / 1000,
        one.message or "",
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

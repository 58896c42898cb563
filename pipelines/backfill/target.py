"""The place that a backfill fills: what is in it already, and whether that may be gone on with."""

from pathlib import Path
from typing import Final

from pipelines.archive.layout import topic_prefix
from pipelines.archive.object_store import ObjectStore
from pipelines.archive.schemas import SCHEMAS
from pipelines.backfill.request import PLAN_PATH, Plan, Request, check_same, decode_plan
from pipelines.errors import ConfigurationError

_FILE: Final = "file://"


def absolute(url: str) -> str:
    """Return the url with a relative folder made whole: workers have other working folders."""
    if not url.startswith(_FILE):
        return url.rstrip("/")
    return _FILE + str(Path(url.removeprefix(_FILE)).absolute())


def plan_there(store: ObjectStore, url: str, request: Request, resume: bool) -> Plan | None:
    """Return the plan of the backfill that a target holds, or None where it is empty.

    Raises:
        ConfigurationError: it holds another backfill, or one that was not to be resumed, or files
            of something else.
    """
    if url == request.archive:
        raise ConfigurationError(f"--target {url} is the archive itself; choose another")
    try:
        with store.open(PLAN_PATH) as file:
            plan = decode_plan(file.read(), url)
    except FileNotFoundError:
        taken = [topic for topic in SCHEMAS if any(store.files(topic_prefix(topic)))]
        if taken:
            raise ConfigurationError(
                f"{url} holds files of {taken[0]} that no backfill wrote; choose an empty target"
            ) from None
        return None
    check_same(request, plan.request, url)
    if not resume:
        raise ConfigurationError(
            f"{url} holds this backfill already, whole or in part; go on with it by --resume, or "
            f"choose another target"
        )
    return plan

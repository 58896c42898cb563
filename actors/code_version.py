"""Which code of the actors runs."""

import functools

import actors
import pipelines
from pipelines.source_version import source_version


@functools.cache
def code_version() -> str:
    """Return a hash of every Python file of ``pipelines`` and ``actors``: 12 hexadecimal digits.

    It stands in ledgers, dead letters and the names of slots, so that a deployment of other code
    replaces the slots that run.
    """
    return source_version((pipelines, actors))

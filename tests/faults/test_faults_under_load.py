"""Whatever is killed, stopped or moved under load: nothing is lost and nothing is doubled.

The whole matrix is `make chaos`; here every process of ours dies once, and Kafka is away.
"""

import pytest

from cluster.chaos.cases import CASES, EVERYTHING, Case
from cluster.chaos.run import run_case
from cluster.local.stack import Stack

SHORT: dict[str, Case] = {
    "everything": EVERYTHING,
    "kafka": CASES["kafka"],
}
_KAFKA = pytest.param("kafka", marks=pytest.mark.slow)


@pytest.mark.parametrize("name", ["everything", _KAFKA])
def test_nothing_is_lost_or_doubled(name: str, stack: Stack) -> None:
    result = run_case(stack, name, SHORT[name], lambda _: None)
    verified = result.verified
    assert verified.ok, verified.differences[:5]
    assert (verified.lost, verified.doubled) == (0, 0)

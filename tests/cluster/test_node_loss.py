"""A cluster of several Ray nodes loses one of them, and then another: the stream loses nothing."""

from cluster.bench.node_loss import HEALTH_CHECKS, NODES, lose_two_nodes

BACK_S = 60.0
"""On a busy machine; what it takes on a quiet one is in BENCHMARKS.md."""


def test_the_loss_of_a_node_loses_and_doubles_nothing() -> None:
    found = lose_two_nodes(HEALTH_CHECKS, lambda _: None)
    assert found["actors_on_nodes"] == NODES
    assert found["samples"] > 100_000
    assert (found["lost"], found["doubled"]) == (0, 0)
    assert max(found["back_at_work_s"].values()) < BACK_S

"""What a number of nodes carries, from what was measured."""

import pytest

from cluster.bench.capacity import PLANNED_USE, cores_needed, fit, limits
from pipelines.topics import PARTITIONS

MEASURED = {"bridge": 0.05, "slots": 0.10, "kafka": 0.25, "live": 0.02, "simulator": 0.4}
RATE = 100_000


def test_the_part_that_runs_once_is_the_first_limit() -> None:
    lowest = limits(MEASURED, RATE)[0]
    assert lowest.part == "bridge"
    assert lowest.samples_per_s == pytest.approx(PLANNED_USE / 0.05 * RATE)


def test_a_pipeline_spreads_over_as_many_cores_as_there_are_partitions() -> None:
    slots = next(limit for limit in limits(MEASURED, RATE) if limit.part == "slots")
    assert slots.samples_per_s == pytest.approx(PARTITIONS * PLANNED_USE / 0.10 * RATE)


def test_a_cluster_holds_each_record_thrice_and_has_no_simulator() -> None:
    needed = cores_needed(MEASURED, kafka_replicas=1)
    assert needed["kafka"] == pytest.approx(0.75)
    assert "simulator" not in needed
    assert cores_needed(MEASURED, kafka_replicas=3)["kafka"] == pytest.approx(0.25)


def test_few_nodes_run_out_of_cores_and_many_into_the_part_that_runs_once() -> None:
    few = fit(MEASURED, RATE, kafka_replicas=1, nodes=1, node_cores=1)
    many = fit(MEASURED, RATE, kafka_replicas=1, nodes=30, node_cores=16)
    assert few.limited_by == "cores"
    assert few.cores_used == pytest.approx(PLANNED_USE)
    assert many.limited_by == "bridge"
    assert many.samples_per_s == pytest.approx(limits(MEASURED, RATE)[0].samples_per_s)


def test_more_nodes_never_carry_less() -> None:
    rates = [fit(MEASURED, RATE, 1, nodes, 16).samples_per_s for nodes in range(1, 40)]
    assert rates == sorted(rates)

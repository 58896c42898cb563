"""How soon the stream goes on after a whole node of the cluster was lost."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from cluster.bench.spread_stream import SLOTS, SpreadStream, spread_stream, where_all_is

NODES: Final = 3

HEALTH_CHECKS: Final[Mapping[str, str]] = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "4",
}
"""How a head finds that a node is lost within some three seconds."""

Report = Callable[[str], None]


def measure_node_loss(report: Report) -> dict[str, Any]:
    """Lose the node of a slot, then that of the bridge, under load, on servers of its own.

    Raises:
        UnavailableError: the stream did not go on.
    """
    return {
        "nodes": NODES,
        "slots": SLOTS,
        "as_ray_is": lose_two_nodes({}, report),
        "with_quick_health_checks": lose_two_nodes(HEALTH_CHECKS, report),
    }


def lose_two_nodes(environment: Mapping[str, str], report: Report) -> dict[str, Any]:
    """Lose two nodes of a cluster with these variables; raises as :func:`measure_node_loss`."""
    folder = Path(tempfile.mkdtemp(prefix="imustream-loss-"))
    try:
        report(f"starting {NODES} nodes")
        with spread_stream(NODES, environment) as stream, stream.fleet(folder) as finish:
            stream.wait_until_it_flows()
            places = where_all_is(stream)
            seconds = {
                "slot": _lose(stream, stream.node_of_slot(), report),
                "bridge": _lose(stream, stream.node_of_bridge(), report),
            }
            report("proving that nothing is lost or doubled")
            proved = finish()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "back_at_work_s": seconds,
        "actors_on_nodes": len({node for node in places.values() if node}),
        "samples": proved.samples,
        "lost": proved.lost,
        "doubled": proved.doubled,
    }


def _lose(stream: SpreadStream, node: str, report: Report) -> float:
    report(f"losing {node}")
    seconds = stream.lose(node)
    stream.add_node(f"{node}-again")
    stream.wait_until_it_flows()
    return round(seconds, 2)

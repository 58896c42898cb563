"""`python -m actors.leave_node`: what a pod does before it ends, so that nothing is cut off.

Ray starts nothing more on this node, and Serve moves its replicas to others and takes the node out
of its proxies. Slots here end their transactions, the bridge has delivered what is in flight, and
both start anew on another node at once; without this Ray would notice only that they are gone, and
their successors would have to fence them and wait for their transactions to be aborted.
"""

import sys
import time
from typing import Any

import ray
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.util.state import list_actors

from actors import bridge
from actors.processor import STOP_TIMEOUT_S
from actors.slot_names import parse
from pipelines.errors import ImustreamError, UnavailableError
from pipelines.settings import RaySettings, load_settings

REPLICAS_MOVE_S = 40.0
"""How long Serve may take to have successors elsewhere; then the node ends with what is left."""

_PREEMPTION = 2
"""DRAIN_NODE_REASON_PREEMPTION of Ray's autoscaler.proto: whatever still runs, the node goes."""

_POLL_S = 0.5
_LISTED = 1_000
_STATE_TIMEOUT_S = 10
_REPLICA = "ServeReplica:"


def leave(settings: RaySettings) -> None:
    """Let go of the node that this process is on; returns as :func:`let_go`.

    Raises:
        UnavailableError: no Ray runs here, or it refuses.
    """
    try:
        ray.init(address="auto", namespace=settings.namespace, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UnavailableError(f"no Ray on this node ({str(error).splitlines()[0]})") from None
    let_go(ray.get_runtime_context().get_node_id(), settings.namespace)


def let_go(node: str, namespace: str) -> None:
    """Let go of a node. Ray must be initialised.

    Returns when nothing of ours in ``namespace`` runs there, nor a replica; or the time is up.

    Raises:
        UnavailableError: Ray refuses.
    """
    _refuse_more(node)
    names = [actor.name for actor in _actors(node) if _is_ours(actor, namespace)]
    handles = [ray.get_actor(name, namespace=namespace) for name in names]
    stopping: list[Any] = [handle.stop.remote() for handle in handles]
    if stopping:
        ray.wait(stopping, num_returns=len(stopping), timeout=STOP_TIMEOUT_S)
    for handle in handles:
        # Ray starts it anew, elsewhere.
        ray.kill(handle, no_restart=False)
    deadline_s = time.monotonic() + REPLICAS_MOVE_S
    while time.monotonic() < deadline_s and any(map(_is_replica, _actors(node))):
        time.sleep(_POLL_S)


def _refuse_more(node: str) -> None:
    client = GcsClient(address=ray.get_runtime_context().gcs_address)
    accepted, why = client.drain_node(
        node,
        _PREEMPTION,
        "its pod ends",
        time.time_ns() // 1_000_000 + int((STOP_TIMEOUT_S + REPLICAS_MOVE_S) * 1_000),
    )
    if not accepted:
        raise UnavailableError(f"Ray does not let this node go: {why}")


def _actors(node: str) -> list[Any]:
    found = list_actors(
        filters=[("node_id", "=", node), ("state", "=", "ALIVE")],
        limit=_LISTED,
        timeout=_STATE_TIMEOUT_S,
    )
    return list(found)


def _is_ours(actor: Any, namespace: str) -> bool:
    name = actor.name or ""
    here = actor.ray_namespace == namespace
    return here and (name == bridge.NAME or parse(name) is not None)


def _is_replica(actor: Any) -> bool:
    return str(actor.class_name).startswith(_REPLICA)


def main() -> int:
    """Leave. Returns the exit code; Kubernetes ends the pod whatever it is."""
    try:
        leave(load_settings().ray)
    except ImustreamError as error:
        print(f"leave_node: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Detached actors: named, one in the namespace, restarted by Ray whenever their process dies."""

from typing import Any

import ray

from pipelines.settings import Settings


def start_detached(
    settings: Settings,
    name: str,
    actor_class: type,
    *arguments: Any,
    num_cpus: float = 0,
    resource: str = "",
    or_find: bool = False,
) -> Any:
    """Start an actor under a name and return its handle at once.

    Those that count CPUs are spread over the nodes, so that a node's end takes few of them.

    resource: one of these the actor's node must have, and nobody else uses; empty: any node
    or_find: where an actor has the name already return that one, which may be of older code or
        about to end; otherwise Ray raises ValueError.
    """
    return (
        ray.remote(actor_class)
        .options(
            name=name,
            namespace=settings.ray.namespace,
            lifetime="detached",
            max_restarts=-1,
            num_cpus=num_cpus,
            resources={resource: 1} if resource else None,
            scheduling_strategy="SPREAD" if num_cpus else "DEFAULT",
            get_if_exists=or_find,
        )
        .remote(*arguments)
    )


def find_detached(settings: Settings, name: str) -> Any:
    """Return the handle of the actor of that name, or None."""
    try:
        return ray.get_actor(name, namespace=settings.ray.namespace)
    except ValueError:
        return None

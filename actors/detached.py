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
    or_find: bool = False,
) -> Any:
    """Start an actor under a name and return its handle at once.

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

"""The overlays as kustomize renders them."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from cluster.setup.paths import KUSTOMIZE, ROOT

Object = dict[str, Any]

_OVERLAYS: Final = ROOT / "cluster" / "kubernetes" / "overlays"
OVERLAYS: Final[Mapping[str, Path]] = {
    **{name: _OVERLAYS / name for name in ("single-node", "production", "gpu", "aws")},
    # No overlay of ours has this component.
    "connect": Path(__file__).parent / "overlays" / "connect",
}


def render_all() -> dict[str, list[Object]]:
    """Return the objects of each overlay. The test fails where kustomize does."""
    done = subprocess.run(
        [KUSTOMIZE, *OVERLAYS.values()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[Object]] = {}
    for name, folder in OVERLAYS.items():
        _, _, after = done.stdout.partition(f"---\n# {folder}\n")
        text, _, _ = after.partition("\n---\n# /")
        found[name] = [each for each in yaml.load_all(text, yaml.CSafeLoader) if each]
    return found


def named(one: Object) -> str:
    """Return kind and name, to say which one is wrong."""
    return f"{one['kind']}/{one['metadata']['name']}"


def of_kind(objects: list[Object], *kinds: str) -> Iterator[Object]:
    """Yield the objects of some kinds."""
    yield from (one for one in objects if one["kind"] in kinds)


def the(objects: list[Object], kind: str, name: str) -> Object:
    """Return the one object of that kind and name."""
    (found,) = (one for one in of_kind(objects, kind) if one["metadata"]["name"] == name)
    return found

"""The models that come with imustream, so that a new installation has one to run."""

import contextlib
from pathlib import Path

from pipelines.errors import ConflictError
from pipelines.models.channels import Channels
from pipelines.models.folder_store import FolderStore
from pipelines.models.store import ModelStore

SHIPPED = Path(__file__).with_name("shipped")
"""Laid out like a store: ``{name}/{version}/model.onnx`` and so on."""


def ensure_shipped(store: ModelStore, folder: Path = SHIPPED) -> list[str]:
    """Push each shipped model that the store has no version of, and make it the stable one.

    Returns:
        The names of those that were pushed; where two processes do this at once, one of them has.
    """
    shipped = FolderStore(folder)
    pushed = []
    for name in shipped.names():
        versions = shipped.versions(name)
        if not versions or store.versions(name):
            continue
        with contextlib.suppress(ConflictError):
            store.push(name, versions[-1], shipped.files(name, versions[-1]))
            pushed.append(name)
        with contextlib.suppress(ConflictError):
            if store.channels(name) == Channels():
                store.set_channels(name, Channels(stable=versions[-1]), Channels())
    return pushed

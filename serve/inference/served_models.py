"""Which version of each model answers requests, and the switch to another.

The store is asked every ``inference.poll_s`` which version is stable. A new one is first loaded
and warmed up by every replica; then, between two requests, it takes the old one's place. A request
is given its version once, when it comes, so no answer is of two models, and a version that was
replaced stays loaded for those that still run on it.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from pipelines.errors import ImustreamError
from pipelines.models.model_files import Model
from pipelines.models.names import is_name, is_version
from pipelines.models.store import ModelStore
from pipelines.predictions import ModelId
from serve.inference.refusal import RefusedError, busy, not_served, unknown

_LOGGER = logging.getLogger(__name__)
_IDLE_POLL_S: Final = 0.02
_FIRST_RETRY_S: Final = 0.05
_KEPT: Final = 64
"""Versions whose description is kept."""


class Loader(Protocol):
    """Whoever loads models: all replicas together."""

    async def load(self, model: ModelId) -> None:
        """Load a version everywhere."""

    async def unload(self, name: str) -> None:
        """Forget a model everywhere."""


@dataclass
class _Entry:
    """What is known of one model."""

    versions: list[str] = field(default_factory=list)
    stable: str | None = None
    serving: Model | None = None
    unloaded: bool = False
    fault: str = ""
    running: int = 0


class ServedModels:
    """The models of a store, as requests see them."""

    def __init__(
        self, store: ModelStore, loader: Loader, poll_s: float, unload_wait_s: float
    ) -> None:
        self._store = store
        self._loader = loader
        self._poll_s = poll_s
        self._unload_wait_s = unload_wait_s
        self._models: dict[str, _Entry] = {}
        self._described: OrderedDict[tuple[str, str], Model] = OrderedDict()
        self._changing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._fault = "the store has not been asked yet"
        self._looked_up = False

    def start(self) -> None:
        """Begin to follow the store."""
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """End that."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def fault(self) -> str:
        """Return why not every stable version is being served; empty where all are."""
        faults = [self._fault, *(entry.fault for entry in self._models.values())]
        return "; ".join(filter(None, faults))

    def names(self) -> list[str]:
        """Return the models of the store."""
        return sorted(self._models)

    def is_every_model_served(self) -> bool:
        """Return whether each model that should be served is, be it in an older version."""
        return self._looked_up and all(
            entry.unloaded or entry.stable is None or entry.serving is not None
            for entry in self._models.values()
        )

    def versions(self, name: str) -> list[str]:
        """Return the versions of a model that the store has."""
        return self._entry(name).versions

    def serving(self, name: str) -> Model | None:
        """Return the version that answers requests which name none."""
        return self._entry(name).serving

    def is_ready(self, name: str, version: str | None) -> bool:
        """Return whether a version, or the stable one, is loaded and answers.

        Raises:
            RefusedError: there is no such model or version.
        """
        entry = self._entry(name)
        if version is None:
            return entry.serving is not None
        _require_version(name, version, entry)
        return not entry.unloaded and (name, version) in self._described

    async def find(self, name: str, version: str | None) -> Model:
        """Return a version to answer a request: the stable one, or the one that it names.

        A version that is not loaded yet is loaded first.

        Raises:
            RefusedError: there is no such model or version, or it is not loaded.
        """
        entry = await self._fresh_entry(name, version)
        _require_loaded(name, entry)
        if version is None:
            return _serving(name, entry)
        _require_version(name, version, entry)
        model = await self._loaded(name, version)
        # It may have been unloaded while this version was being loaded.
        _require_loaded(name, entry)
        return model

    async def describe(self, name: str, version: str | None) -> Model:
        """Return a version to tell about, loaded or not; without one the stable or the newest.

        Raises:
            RefusedError: there is no such model or version.
        """
        entry = await self._fresh_entry(name, version)
        chosen = version or entry.stable or (entry.versions[-1] if entry.versions else None)
        if chosen is None:
            raise unknown(f"model {name} has no version")
        _require_version(name, chosen, entry)
        found = self._described.get((name, chosen))
        return found or await self._described_by_store(name, chosen)

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Hold back the unloading of a model while a request for it runs."""
        entry = self._entry(name)
        entry.running += 1
        try:
            yield
        finally:
            entry.running -= 1

    async def load(self, name: str) -> None:
        """Load the stable version of a model, newly looked up, and serve it.

        Raises:
            RefusedError: there is no such model, or it cannot be loaded.
        """
        async with self._changing:
            await self._look_up()
            entry = self._entry(name)
            entry.unloaded = False
            await self._switch(name, entry)
        _serving(name, entry)

    async def unload(self, name: str) -> None:
        """Serve a model no longer: refuse new requests, wait for those that run, then forget it.

        Raises:
            RefusedError: there is no such model, or requests for it go on for too long.
        """
        async with self._changing:
            entry = self._entry(name)
            entry.unloaded = True
            entry.serving = None
            entry.fault = ""
            for key in [key for key in self._described if key[0] == name]:
                del self._described[key]
            await self._until_idle(name, entry)
            await self._loader.unload(name)

    async def index(self) -> list[dict[str, str]]:
        """Return the answer to `POST /v2/repository/index`: every version, and its state."""
        async with self._changing:
            await self._look_up()
        return [
            {"name": name, "version": version, **self._state(name, version, entry)}
            for name, entry in sorted(self._models.items())
            for version in entry.versions
        ]

    def _state(self, name: str, version: str, entry: _Entry) -> dict[str, str]:
        if not entry.unloaded and (name, version) in self._described:
            return {"state": "READY", "reason": ""}
        if entry.unloaded:
            return {"state": "UNAVAILABLE", "reason": "unloaded"}
        reason = entry.fault if version == entry.stable and entry.fault else "not loaded"
        return {"state": "UNAVAILABLE", "reason": reason}

    async def _until_idle(self, name: str, entry: _Entry) -> None:
        deadline_s = asyncio.get_running_loop().time() + self._unload_wait_s
        while entry.running:
            if asyncio.get_running_loop().time() > deadline_s:
                raise busy(f"{entry.running} requests for model {name} still run; try again")
            await asyncio.sleep(_IDLE_POLL_S)

    async def _follow(self) -> None:
        wait_s = _FIRST_RETRY_S
        while True:
            try:
                await self.refresh()
            except Exception:  # Whatever it is, what is served goes on being served.
                _LOGGER.exception("inference cannot follow the model store")
            # At the start the replicas may be later than this one, and are asked again soon.
            wait_s = min(self._poll_s, 2 * wait_s if self.fault() else self._poll_s)
            await asyncio.sleep(wait_s)

    async def refresh(self) -> None:
        """Ask the store, and switch to what is stable now."""
        async with self._changing:
            try:
                await self._look_up()
            except RefusedError as error:
                self._report_store(error.message)
                return
            self._report_store("")
            for name, entry in list(self._models.items()):
                if not entry.unloaded:
                    await self._switch(name, entry)

    def _report_store(self, fault: str) -> None:
        if fault and fault != self._fault:
            _LOGGER.warning("what is served stays as it is: %s", fault)
        self._fault = fault

    async def _look_up(self) -> None:
        try:
            found = await asyncio.to_thread(self._ask_store)
        except ImustreamError as error:
            raise busy(str(error)) from None
        for name in [name for name in self._models if name not in found]:
            del self._models[name]
        for name, (versions, stable) in found.items():
            entry = self._models.setdefault(name, _Entry())
            entry.versions, entry.stable = versions, stable
        self._looked_up = True

    def _ask_store(self) -> dict[str, tuple[list[str], str | None]]:
        return {
            name: (self._store.versions(name), self._store.channels(name).stable)
            for name in self._store.names()
        }

    async def _switch(self, name: str, entry: _Entry) -> None:
        """Serve the stable version, once it is loaded and warm."""
        serving = entry.serving.id.version if entry.serving else None
        if entry.stable is None:
            entry.serving, entry.fault = None, ""
            return
        if entry.stable == serving:
            entry.fault = ""
            return
        try:
            model = await self._loaded(name, entry.stable)
        except RefusedError as error:
            if error.message != entry.fault:
                _LOGGER.warning(
                    "model %s goes on with version %s: %s",
                    name,
                    serving or "none",
                    error.message,
                    extra={"model": name, "version": serving},
                )
            entry.fault = error.message
            return
        entry.serving, entry.fault = model, ""
        _LOGGER.info(
            "model %s is served in version %s now, after %s",
            name,
            entry.stable,
            serving,
            extra={"model": name, "version": entry.stable},
        )

    async def _loaded(self, name: str, version: str) -> Model:
        key = (name, version)
        found = self._described.get(key)
        if found is not None:
            self._described.move_to_end(key)
            return found
        try:
            model = await self._described_by_store(name, version)
            await self._loader.load(model.id)
        except ImustreamError as error:
            raise busy(str(error)) from None
        self._described[key] = model
        while len(self._described) > _KEPT:
            self._described.popitem(last=False)
        return model

    async def _described_by_store(self, name: str, version: str) -> Model:
        try:
            model = await asyncio.to_thread(self._store.load, name, version)
        except ImustreamError as error:
            raise busy(str(error)) from None
        return replace(model, onnx=b"")

    def _entry(self, name: str) -> _Entry:
        entry = self._models.get(name)
        if entry is None:
            raise unknown(f"there is no model {name!r}; POST /v2/repository/index names all")
        return entry

    async def _fresh_entry(self, name: str, version: str | None) -> _Entry:
        """Return what is known of a model, asking the store for what is not known yet."""
        entry = self._models.get(name)
        known = entry is not None and (version is None or version in entry.versions)
        if not known and is_name(name) and (version is None or is_version(version)):
            async with self._changing:
                await self._look_up()
        return self._entry(name)


def _require_loaded(name: str, entry: _Entry) -> None:
    if entry.unloaded:
        raise not_served(f"model {name} was unloaded; POST /v2/repository/models/{name}/load")


def _serving(name: str, entry: _Entry) -> Model:
    if entry.serving is not None:
        return entry.serving
    if entry.stable is None:
        raise not_served(f"model {name} has no stable version: `imustream models promote {name} 1`")
    raise busy(entry.fault or f"model {name} is being loaded")


def _require_version(name: str, version: str, entry: _Entry) -> None:
    if version not in entry.versions:
        raise unknown(f"model {name} has no version {version!r}")

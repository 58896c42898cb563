"""The model that a channel names, followed while ml_inference runs."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from msgspec import UNSET

from pipelines.control import ControlFollower
from pipelines.errors import DataError, ImustreamError, NotFoundError, UnavailableError
from pipelines.models.model_files import Model
from pipelines.models.store import ModelStore, open_store
from pipelines.predictions import ModelId
from pipelines.settings import Settings

_LOGGER = logging.getLogger("imustream.models")

MODELS_KEPT: Final = 4
"""Versions kept in memory; beyond it the one not used for longest goes."""

Warm = Callable[[ModelId], None]
"""Makes a model ready to run without a wait; raises an ImustreamError where that fails."""
Report = Callable[[str | None], None]
"""Takes, at each look, what is in the way of the wanted version; None where nothing is."""


class FollowedModel:
    """Gives the newest version that is behind the channel, loaded and warm.

    The channel is the pipeline's in pipeline-control, else ``inference.channel``. A version that
    cannot be loaded leaves the one before it in use, is reported, and is tried again.
    """

    def __init__(self, settings: Settings, pipeline: str, warm: Warm, report: Report) -> None:
        """Begin to follow, in a thread that ends with the process."""
        self._settings = settings
        self._pipeline = pipeline
        self._warm = warm
        self._report = report
        self._store: ModelStore = open_store(settings)
        self._newest: Model | None = None
        self._loaded: OrderedDict[ModelId, Model] = OrderedDict()
        self._guard = threading.Lock()
        self._problem: str | None = None
        threading.Thread(target=self._follow, name="models", daemon=True).start()

    def wanted(self) -> Model | None:
        """Return the model to run now; None where there is none yet. It waits for nothing."""
        return self._newest

    def get(self, model: ModelId) -> Model:
        """Return exactly this model, from the store if need be.

        Raises:
            UnavailableError: the store does not answer, or does not hold it.
        """
        with self._guard:
            found = self._loaded.get(model)
            if found is None:
                found = self._load(model)
                self._loaded[model] = found
                while len(self._loaded) > MODELS_KEPT:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(model)
            return found

    def _load(self, model: ModelId) -> Model:
        try:
            found = self._store.load(model.name, model.version)
        except (NotFoundError, DataError) as error:
            raise UnavailableError(
                f"the model that this state was made by cannot be loaded: {error}"
            ) from None
        if found.id != model:
            raise UnavailableError(
                f"model {model.name} version {model.version} has another SHA-256 in the store "
                f"than the one that this state was made by, {model.sha256}: bring that one back"
            )
        return found

    def _follow(self) -> None:
        """Look up the channel's version again and again."""
        follower: ControlFollower | None = None
        channel = self._settings.inference.channel
        while True:
            try:
                if follower is None:
                    follower = ControlFollower(self._settings.kafka)
                record = follower.state.pipelines.get(self._pipeline)
                named = UNSET if record is None else record.model_channel
                channel = self._settings.inference.channel if named is UNSET else str(named)
                self._look(channel)
                follower.poll(self._settings.inference.poll_s)
            except UnavailableError as error:
                self._tell(str(error))
                if follower is not None:
                    follower.close()
                    follower = None
                time.sleep(self._settings.inference.poll_s)
            except Exception as error:  # a fault of ours must not end the thread: name it, go on
                _LOGGER.exception("following the model failed")
                self._tell(repr(error))
                time.sleep(self._settings.inference.poll_s)

    def _look(self, channel: str) -> None:
        """Load and warm the version behind the channel, if it is another than the one in use."""
        name = self._settings.inference.model
        try:
            version = self._store.channels(name).version(channel)
            if version is None:
                raise NotFoundError(
                    f"the store has no {channel} version of model {name}: push one and promote it "
                    f"(`imustream models`)"
                )
            before = self._newest
            if before is None or before.id.version != version:
                found = self._store.load(name, version)
                self._warm(found.id)
                with self._guard:
                    self._loaded[found.id] = found
                self._newest = found
                about = {"model": name, "version": version}
                _LOGGER.info("model %s version %s is ready", name, version, extra=about)
            self._tell(None)
        except ImustreamError as error:
            self._tell(str(error))

    def _tell(self, problem: str | None) -> None:
        if problem is not None:
            used = (
                "none is in use" if self._newest is None else f"{self._newest.id.version} goes on"
            )
            problem = f"the wanted model is not ready, {used}: {problem}"
        if problem not in (None, self._problem):
            _LOGGER.warning("%s", problem)
        self._problem = problem
        self._report(problem)

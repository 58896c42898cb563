"""The pipelines there are, in the order of the data, and how a slot of each is run."""

from collections.abc import Mapping

from actors.inference_client import ServeInfer
from actors.model_alarm import ModelAlarm
from actors.processor import RunFactory
from pipelines import topics
from pipelines.archive.archive_run import ArchiveRun
from pipelines.models.followed_model import FollowedModel
from pipelines.operators.ml_inference import MlInference
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.operators.session_aggregation import SessionAggregation
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import Settings
from pipelines.sinks.session_writer import SessionWriter
from pipelines.slot import Slot
from pipelines.slot_run import NewRun


def _sensor_processing(settings: Settings, identity: SlotIdentity) -> NewRun:
    operator = SensorProcessing(settings.processing, identity.code_version)
    return lambda: Slot(operator, settings, identity)


_SESSION_TURN_MS = 100
"""Windows come seconds after their samples: a tenth of one more costs the broker less."""


def _session_aggregation(settings: Settings, identity: SlotIdentity) -> NewRun:
    operator = SessionAggregation(settings.sessions, identity.code_version)
    return lambda: Slot(operator, settings, identity, turn_ms=_SESSION_TURN_MS)


def _archive(settings: Settings, identity: SlotIdentity) -> NewRun:
    return lambda: ArchiveRun(settings, identity)


def _session_writer(settings: Settings, identity: SlotIdentity) -> NewRun:
    return lambda: SessionWriter(settings, identity)


def _ml_inference(settings: Settings, identity: SlotIdentity) -> NewRun:
    infer = ServeInfer(settings.inference.timeout_s)
    alarm = ModelAlarm(settings.kafka, identity)
    models = FollowedModel(settings, identity.pipeline, infer.load, alarm)
    operator = MlInference(
        settings.inference, settings.processing, infer, models, identity.code_version
    )
    return lambda: Slot(operator, settings, identity, settings.inference.turn_ms)


PIPELINES: Mapping[str, RunFactory] = {
    SensorProcessing.name: _sensor_processing,
    MlInference.name: _ml_inference,
    SessionAggregation.name: _session_aggregation,
    topics.SESSION_WRITER: _session_writer,
    topics.ARCHIVE: _archive,
}

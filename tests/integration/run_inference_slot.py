"""Run one slot of ml_inference in this process, with onnxruntime, for tests that kill it."""

import logging
import sys

from pipelines.models.followed_model import FollowedModel
from pipelines.models.sequence_inference import OnnxSequenceInference
from pipelines.operators.ml_inference import MlInference
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import load_settings
from pipelines.slot import Slot
from pipelines.slot_loop import SlotLoop

logging.basicConfig(level=logging.INFO, stream=sys.stderr)
settings = load_settings()
identity = SlotIdentity(MlInference.name, 1, int(sys.argv[1]), int(sys.argv[2]), "test")
models = FollowedModel(settings, identity.pipeline, lambda _model: None, lambda _problem: None)
operator = MlInference(
    settings.inference, settings.processing, OnnxSequenceInference(models.get), models, "test"
)
SlotLoop(
    lambda: Slot(operator, settings, identity, settings.inference.turn_ms), settings, identity
).run()

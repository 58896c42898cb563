"""Models that a test holds in memory, run by onnxruntime."""

import json

import onnx
from onnx import helper

from pipelines.models.model_files import FACTS_FILE, ONNX_FILE, Model, read_model, sha256_of
from pipelines.models.sequence_inference import OnnxSequenceInference
from pipelines.predictions import ModelId
from tests.small_model import small_model_files


def small_model(version: str = "1", hidden_units: int = 8, velocity_bias: float = 1.0) -> Model:
    """Return a small model; its velocity is near its bias."""
    files = small_model_files(
        version=version, hidden_units=hidden_units, velocity_bias=velocity_bias
    )
    return read_model("velocity", version, files, "a test")


def model_without_numbers(version: str = "1") -> Model:
    """Return the model of `numberless_files`."""
    return read_model("velocity", version, numberless_files(version), "a test")


def numberless_files(version: str = "1") -> dict[str, bytes]:
    """Return a small model that gives no number for a sample whose acc_x is 0."""
    files = small_model_files(version=version, hidden_units=8, velocity_bias=1.0)
    model = onnx.load_from_string(files[ONNX_FILE])
    (concat,) = [node for node in model.graph.node if node.op_type == "Concat"]
    concat.input[0] = "spoiled"
    # 0 * log(acc_x) is no number where acc_x is 0.
    slices = ["features", "column_0", "column_1", "last_axis"]
    model.graph.node.extend(
        [
            helper.make_node("Slice", slices, ["acc_x"]),
            helper.make_node("Log", ["acc_x"], ["log"]),
            helper.make_node("Sub", ["log", "log"], ["nothing"]),
            helper.make_node("Add", ["velocity", "nothing"], ["spoiled"]),
        ]
    )
    last = onnx.NodeProto()
    last.CopyFrom(concat)
    model.graph.node.remove(concat)
    model.graph.node.append(last)
    content = model.SerializeToString()
    facts = {**json.loads(files[FACTS_FILE]), "sha256": sha256_of(content)}
    return {**files, ONNX_FILE: content, FACTS_FILE: json.dumps(facts).encode()}


_GIVEN: dict[ModelId, Model] = {}
_INFERENCE = OnnxSequenceInference(_GIVEN.__getitem__)


class ModelsInMemory:
    """A source of models: the last given is wanted."""

    def __init__(self, *models: Model) -> None:
        self.models = {model.id: model for model in models}
        self.newest: Model | None = models[-1] if models else None

    def wanted(self) -> Model | None:
        return self.newest

    def want(self, model: Model) -> None:
        self.models[model.id] = self.newest = model
        _GIVEN[model.id] = model

    def get(self, model: ModelId) -> Model:
        return self.models[model]

    def inference(self) -> OnnxSequenceInference:
        """Run models, each by one session in all tests: to open one takes a while."""
        _GIVEN.update(self.models)
        return _INFERENCE

"""An inference request from its body to its answer."""

import asyncio
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from pipelines.errors import ImustreamError, NotFoundError
from pipelines.models.model_files import Model
from pipelines.models.onnx_session import INPUTS, OUTPUTS
from pipelines.settings import InferenceSettings
from serve.inference.admission import Admission
from serve.inference.batches import Sequences
from serve.inference.bodies import json_bytes_of, read_body, write_body
from serve.inference.infer_request import InferRequest, read_infer_request
from serve.inference.infer_response import wanted_outputs, write_infer_response
from serve.inference.refusal import RefusedError, busy, unknown
from serve.inference.replicas import Replicas
from serve.inference.served_models import ServedModels
from serve.inference.statistics import Statistics
from serve.inference.streaming_contract import check_inputs

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

_LARGE_BYTES = 262_144
"""Bodies from this size on are read and written beside the event loop."""


class InferenceService:
    """Answers inference requests of one ingress replica."""

    def __init__(
        self, settings: InferenceSettings, served: ServedModels, replicas: Replicas
    ) -> None:
        self._settings = settings
        self._served = served
        self._replicas = replicas
        self._admission = Admission(settings.max_queue, settings.max_queue_bytes)
        self.statistics = Statistics()

    async def infer(self, request: Request, name: str, version: str | None) -> Response:
        """Answer `POST /v2/models/{m}[/versions/{v}]/infer`.

        Raises:
            RefusedError: with the status and the message to answer.
        """
        started_ns = time.perf_counter_ns()
        with self._admission.place() as place:
            json_bytes = json_bytes_of(request)
            body = await read_body(request, place, self._settings.max_request_bytes)
            model = await self._served.find(name, version)
            counted = self.statistics.of(model.id.name, model.id.version)
            # Nothing is awaited in between: whoever unloads sees this request, or it is refused.
            with self._served.running(name):
                try:
                    return await self._answer(request, body, json_bytes, model, started_ns)
                except RefusedError:
                    counted.failed(time.perf_counter_ns() - started_ns)
                    raise

    async def _answer(
        self, request: Request, body: bytes, json_bytes: int | None, model: Model, started_ns: int
    ) -> Response:
        read_ns = time.perf_counter_ns()
        asked, sequences = await _apart(len(body), _read, body, json_bytes, model)
        input_ns = time.perf_counter_ns() - read_ns
        wanted = wanted_outputs(asked, OUTPUTS)
        try:
            predicted, timing = await self._replicas.infer(model.id, sequences)
        except NotFoundError as error:
            raise unknown(str(error)) from None
        except ImustreamError as error:
            raise busy(str(error)) from None
        write_ns = time.perf_counter_ns()
        outputs = dict(zip(OUTPUTS, predicted, strict=True))
        size = sum(tensor.nbytes for tensor in predicted)
        answer = await _apart(size, write_infer_response, model.id, asked.id, wanted, outputs)
        response = await _apart(len(answer.body), write_body, request, answer)
        ended_ns = time.perf_counter_ns()
        self.statistics.of(model.id.name, model.id.version).succeeded(
            time.time_ns() // 1_000_000,
            sequences.features.shape[1],
            timing,
            input_ns,
            ended_ns - write_ns,
            ended_ns - started_ns,
        )
        return response


def _read(body: bytes, json_bytes: int | None, model: Model) -> tuple[InferRequest, Sequences]:
    asked = read_infer_request(body, json_bytes)
    check_inputs(model, asked.inputs)
    return asked, Sequences(*(asked.inputs[name] for name in INPUTS))


async def _apart(
    size_bytes: int,
    work: Callable[_Arguments, _Result],
    *arguments: _Arguments.args,
    **no: _Arguments.kwargs,
) -> _Result:
    """Return what ``work`` returns, in a thread of its own where it would take long."""
    if size_bytes < _LARGE_BYTES:
        return work(*arguments, **no)
    return await asyncio.to_thread(work, *arguments, **no)

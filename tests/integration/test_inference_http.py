"""Serve application `inference` over HTTP, as the Open Inference Protocol's own client sees it."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import psutil
import pytest
import ray
import tritonclient.http as triton
from inference_clients import (
    as_inputs,
    as_json,
    expected,
    new_client,
    require_close,
    velocity_of,
)
from ray import serve
from serve_clients import MAX_QUEUE, WAIT_S, bearer, eventually, http
from small_model import small_inputs, small_model_files, small_onnx
from tritonclient.utils import InferenceServerException

from pipelines.errors import DataError, NotFoundError
from pipelines.models.channels import Channels
from pipelines.models.onnx_session import OUTPUTS
from pipelines.models.promotion import promote, roll_back
from pipelines.models.serving_names import APPLICATION, DEPLOYMENT
from pipelines.models.store import ModelStore, open_store
from pipelines.settings import Settings

NAME = "small"
FAR = 1_000.0
"""m/s that version 2 adds to every velocity: it tells which version answered."""
INFER = f"/v2/models/{NAME}/infer"


@pytest.fixture(scope="module")
def store(serving: Settings) -> ModelStore:
    """The store of the running application, with versions 1 (stable) and 2 of a model."""
    found = open_store(serving)
    found.push(NAME, "1", small_model_files(NAME, "1"))
    found.push(NAME, "2", small_model_files(NAME, "2", velocity_bias=FAR))
    found.set_channels(NAME, Channels(stable="1"), Channels())
    return found


@pytest.fixture
def client(serving: Settings, store: ModelStore) -> Iterator[triton.InferenceServerClient]:
    """A client, once the stable version is served."""
    with new_client(serving) as client:
        eventually(lambda: client.is_model_ready(NAME), "the model")
        yield client


def test_the_server_tells_what_it_is_and_which_extensions_it_has(
    client: triton.InferenceServerClient,
) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    about = client.get_server_metadata()
    assert about["name"] == "imustream"
    assert set(about["extensions"]) == {
        "binary_tensor_data",
        "model_repository",
        "model_configuration",
        "statistics",
    }


def test_nobody_passes_without_a_login_but_to_ask_for_life(
    serving: Settings, store: ModelStore
) -> None:
    with http(serving, logged_in=False) as anybody:
        assert anybody.get("/v2/health/live").status_code == 200
        for path in ("/v2", "/v2/health/ready", f"/v2/models/{NAME}", "/v2/models/stats"):
            answer = anybody.get(path)
            assert answer.status_code == 401
            assert answer.json()["error"].startswith("You are not logged in.")
        assert anybody.post(INFER, json=as_json(small_inputs(4, 1))).status_code == 401


def test_the_client_logs_in_by_its_headers(serving: Settings, store: ModelStore) -> None:
    with triton.InferenceServerClient(f"127.0.0.1:{serving.serve.port}") as client:
        assert not client.is_model_ready(NAME)
        assert client.is_model_ready(NAME, headers=bearer(serving))


def test_metadata_and_configuration_describe_the_streaming_model(
    client: triton.InferenceServerClient,
) -> None:
    about = client.get_model_metadata(NAME)
    assert about["name"] == NAME
    assert about["versions"] == ["1", "2"]
    assert about["inputs"][0] == {"name": "features", "datatype": "FP32", "shape": [-1, -1, 6]}
    assert [one["name"] for one in about["outputs"]] == list(OUTPUTS)
    config = client.get_model_config(NAME, "2")
    assert config["input"][1] == {"name": "lengths", "data_type": "TYPE_INT32", "dims": [-1]}
    assert config["version_policy"] == {"specific": {"versions": [2]}}


@pytest.mark.parametrize("binary_inputs", [True, False])
@pytest.mark.parametrize("binary_outputs", [True, False, None])
@pytest.mark.parametrize("coding", [None, "gzip", "deflate"])
def test_an_inference_gives_what_onnxruntime_gives(
    client: triton.InferenceServerClient,
    binary_inputs: bool,
    binary_outputs: bool | None,
    coding: str | None,
) -> None:
    tensors = small_inputs(20, 3)
    tensors["lengths"][:] = (20, 7, 1)
    outputs = None
    if binary_outputs is not None:
        outputs = [
            triton.InferRequestedOutput(name, binary_data=binary_outputs) for name in OUTPUTS
        ]
    result = client.infer(
        NAME,
        as_inputs(tensors, binary=binary_inputs),
        outputs=outputs,
        request_id="seven",
        request_compression_algorithm=coding,
        response_compression_algorithm=coding,
    )
    require_close(result, expected(small_onnx(), tensors))
    answer = result.get_response()
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("seven", NAME, "1")


def test_a_client_gets_only_the_outputs_that_it_asks_for(
    client: triton.InferenceServerClient,
) -> None:
    result = client.infer(
        NAME,
        as_inputs(small_inputs(5, 1)),
        outputs=[triton.InferRequestedOutput("cell_out", binary_data=False)],
    )
    assert [one["name"] for one in result.get_response()["outputs"]] == ["cell_out"]


def test_a_sequence_goes_on_from_the_state_that_the_answer_before_gave(
    client: triton.InferenceServerClient,
) -> None:
    whole = small_inputs(30, 2)
    first = {**whole, "features": whole["features"][:10].copy()}
    first["lengths"] = first["lengths"] * 0 + 10
    begun = client.infer(NAME, as_inputs(first))
    rest = {
        "features": whole["features"][10:].copy(),
        "lengths": whole["lengths"] - 10,
        "hidden": begun.as_numpy("hidden_out"),
        "cell": begun.as_numpy("cell_out"),
    }
    ended = client.infer(NAME, as_inputs(rest))
    wanted = expected(small_onnx(), whole)
    require_close(ended, {"hidden_out": wanted["hidden_out"], "cell_out": wanted["cell_out"]})


def test_requests_that_come_together_are_run_together_and_each_gets_its_own(
    serving: Settings, client: triton.InferenceServerClient
) -> None:
    before = client.get_inference_statistics(NAME, "1")["model_stats"][0]
    asked = [small_inputs(16 + 4 * (seed % 2), 1 + seed % 3, seed=seed) for seed in range(48)]

    def ask(seed: int) -> httpx.Response:
        with http(serving) as one:
            return one.post(INFER, json=as_json(asked[seed]))

    with ThreadPoolExecutor(MAX_QUEUE) as threads:
        answers = list(threads.map(ask, range(len(asked))))
    for tensors, answer in zip(asked, answers, strict=True):
        assert answer.status_code == 200, answer.text
        wanted = expected(small_onnx(), tensors)["predictions"][..., 0].ravel()
        assert abs(velocity_of(answer.json()) - wanted).max() < 1e-4
    after = client.get_inference_statistics(NAME, "1")["model_stats"][0]
    successes = [one["inference_stats"]["success"]["count"] for one in (before, after)]
    assert successes[1] - successes[0] == len(asked)
    assert after["execution_count"] - before["execution_count"] < len(asked)
    sequences = sum(len(tensors["lengths"]) for tensors in asked)
    assert after["inference_count"] - before["inference_count"] == sequences


def test_any_version_can_be_asked_by_its_number(client: triton.InferenceServerClient) -> None:
    tensors = small_inputs(5, 1)
    result = client.infer(NAME, as_inputs(tensors), model_version="2")
    require_close(result, expected(small_onnx(velocity_bias=FAR), tensors))
    assert client.is_model_ready(NAME, "2")


def test_what_is_wrong_with_a_request_is_said_with_the_right_status(
    serving: Settings, client: triton.InferenceServerClient
) -> None:
    def refused(name: str, inputs: list[triton.InferInput], version: str = "") -> str:
        with pytest.raises(InferenceServerException) as caught:
            client.infer(name, inputs, model_version=version)
        return f"{caught.value.status()} {caught.value.message()}"

    good = small_inputs(5, 2)
    assert refused("nobody", as_inputs(good)).startswith("404 there is no model 'nobody'")
    assert refused(NAME, as_inputs(good), "9").startswith("404 model small has no version '9'")
    assert "missing: cell" in refused(NAME, as_inputs(good)[:3])
    narrow = {**good, "features": good["features"][..., :5].copy()}
    assert refused(NAME, as_inputs(narrow)).startswith("400 input features has the shape [5, 2, 5]")
    long = {**good, "lengths": good["lengths"] + 1}
    assert refused(NAME, as_inputs(long)).startswith("400 input lengths must lie from 1 to 5")
    with http(serving) as anything:
        assert anything.post(INFER, content=b"{").status_code == 400
        assert anything.get("/v2/nothing").json()["error"].endswith("Not Found")
        large = b"0" * (serving.inference.max_request_bytes + 1)
        assert anything.post(INFER, content=large).status_code == 413


def test_beyond_the_queue_a_request_is_refused_at_once_and_told_when_to_come_back(
    serving: Settings, client: triton.InferenceServerClient
) -> None:
    body, json_bytes = triton.InferenceServerClient.generate_request_body(
        as_inputs(small_inputs(2_000, 64))
    )
    start = threading.Barrier(4 * MAX_QUEUE)

    def ask(_: int) -> httpx.Response:
        with http(serving) as one:
            start.wait()
            length = {"Inference-Header-Content-Length": str(json_bytes)}
            return one.post(INFER, content=body, headers=length)

    with ThreadPoolExecutor(4 * MAX_QUEUE) as threads:
        answers = list(threads.map(ask, range(4 * MAX_QUEUE)))
    refused = [answer for answer in answers if answer.status_code == 503]
    assert {answer.status_code for answer in answers} == {200, 503}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert all("inference.max_queue" in answer.json()["error"] for answer in refused)


def test_pipelines_call_the_replicas_directly(
    serving: Settings, client: triton.InferenceServerClient, store: ModelStore
) -> None:
    tensors = small_inputs(20, 3)
    ray.init(serving.ray.address, namespace=serving.ray.namespace, log_to_driver=False)
    try:
        handle = serve.get_deployment_handle(DEPLOYMENT, APPLICATION)
        model = store.load(NAME, "2").id
        assert handle.load.remote(*model).result(timeout_s=WAIT_S) is None
        outputs = handle.infer_sequences.remote(*model, *tensors.values()).result(timeout_s=WAIT_S)
        with pytest.raises(DataError, match="has the sha256"):
            handle.load.remote(NAME, "2", "00").result(timeout_s=WAIT_S)
        with pytest.raises(NotFoundError, match="no version 9"):
            handle.load.remote(NAME, "9", "00").result(timeout_s=WAIT_S)
    finally:
        ray.shutdown()
    wanted = expected(small_onnx(velocity_bias=FAR), tensors)
    for found, name in zip(outputs, OUTPUTS, strict=True):
        np.testing.assert_allclose(found, wanted[name], atol=1e-5)


def test_a_model_is_unloaded_and_loaded_again(client: triton.InferenceServerClient) -> None:
    client.unload_model(NAME)
    assert not client.is_model_ready(NAME)
    states = {one["state"] for one in client.get_model_repository_index() if one["name"] == NAME}
    assert states == {"UNAVAILABLE"}
    with pytest.raises(InferenceServerException, match="was unloaded"):
        client.infer(NAME, as_inputs(small_inputs(5, 1)))
    client.load_model(NAME)
    assert client.is_model_ready(NAME)
    found = client.get_model_repository_index()
    index = {one["version"]: one for one in found if one["name"] == NAME}
    assert index["1"]["state"] == "READY"
    assert index["2"] == {
        "name": NAME,
        "version": "2",
        "state": "UNAVAILABLE",
        "reason": "not loaded",
    }
    client.infer(NAME, as_inputs(small_inputs(5, 1)))
    with pytest.raises(InferenceServerException, match="there is no model"):
        client.load_model("nobody")
    with pytest.raises(InferenceServerException, match="load takes no parameters"):
        client.load_model(NAME, config='{"max_batch_size": 8}')


class Askers:
    """Threads that ask the stable version again and again, and keep what they are told."""

    def __init__(self, settings: Settings, threads: int) -> None:
        self.versions: list[str] = []
        self.faults: list[str] = []
        self._settings = settings
        self._end = threading.Event()
        self._request = as_json(small_inputs(8, 4))
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def __enter__(self) -> "Askers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        with http(self._settings) as client:
            while not self._end.is_set():
                response = client.post(INFER, json=self._request)
                if response.status_code != 200:
                    self.faults.append(f"{response.status_code} {response.text}")
                    continue
                answer = response.json()
                far = velocity_of(answer) > FAR / 2
                if far.all() != far.any() or far.all() != (answer["model_version"] == "2"):
                    self.faults.append(f"mixed: {velocity_of(answer)}")
                self.versions.append(answer["model_version"])

    def wait_for(self, version: str) -> None:
        """Wait until this version has answered ten times from now on."""
        start = len(self.versions)
        eventually(lambda: self.versions[start:].count(version) >= 10, f"version {version}")


def test_a_promotion_under_load_drops_and_mixes_nothing(
    serving: Settings, client: triton.InferenceServerClient, store: ModelStore
) -> None:
    with Askers(serving, 4) as askers:
        askers.wait_for("1")
        promote(store, NAME, "2", "stable")
        askers.wait_for("2")
        roll_back(store, NAME)
        askers.wait_for("1")
    assert askers.faults == []
    # Each switch is one step: an answer of the version before never comes long after.
    first = askers.versions.index("2")
    assert "2" not in askers.versions[:first]


def test_killed_replicas_of_the_model_are_replaced_and_no_request_fails(
    serving: Settings, client: triton.InferenceServerClient
) -> None:
    with Askers(serving, 2) as askers:
        askers.wait_for("1")
        for process in replicas(serving, "ServeReplica:inference:Model"):
            os.kill(process.pid, signal.SIGKILL)
        askers.wait_for("1")
    assert askers.faults == []


def test_a_killed_replica_of_the_protocol_is_replaced(
    serving: Settings, client: triton.InferenceServerClient
) -> None:
    killed = replicas(serving, "ServeReplica:inference:Protocol")
    for process in killed:
        os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: not any(process.is_running() for process in killed), "its end")

    def answers() -> bool:
        with http(serving) as one:
            return one.post(INFER, json=as_json(small_inputs(5, 1))).status_code == 200

    eventually(answers, "an answer of its successor")


def test_health_of_the_service_counts_inference(serving: Settings, store: ModelStore) -> None:
    with http(serving) as api:
        assert api.get("/health/ready").json()["parts"]["inference"]["ready"]


def replicas(settings: Settings, title: str) -> list[psutil.Process]:
    """Return the processes of a deployment on this Ray head."""
    mine = str(settings.ray.address.rpartition(":")[2])
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        line = " ".join(process.info["cmdline"] or [])
        environment = process.info["environ"] or {}
        if title in line and environment.get("IMUSTREAM_LOCAL__RAY_PORT") == mine:
            found.append(process)
    assert found, f"there is no process {title}"
    return found

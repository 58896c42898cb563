"""The model store in a folder, its channels, and what may enter it."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from small_model import FEATURES, small_model_files, small_onnx

from pipelines.errors import (
    ConfigurationError,
    ConflictError,
    DataError,
    NotFoundError,
    UnavailableError,
)
from pipelines.models.channels import Channels, read_channels, write_channels
from pipelines.models.folder_store import FolderStore
from pipelines.models.model_files import FACTS_FILE, ONNX_FILE, SCALING_FILE, read_model, sha256_of
from pipelines.models.names import is_name, is_version
from pipelines.models.onnx_session import open_session
from pipelines.models.promotion import promote, roll_back
from pipelines.models.pushing import completed
from pipelines.models.s3_store import S3Store
from pipelines.models.shipped import ensure_shipped
from pipelines.models.store import open_store
from pipelines.models.validation import validate
from pipelines.settings import load_settings


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "models")


def push(store: FolderStore, *versions: str, name: str = "velocity") -> None:
    for version in versions:
        store.push(name, version, small_model_files(name, version))


def test_what_was_pushed_is_loaded_as_it_was(store: FolderStore) -> None:
    push(store, "1", "10", "2")
    push(store, "1", name="other")
    assert store.names() == ["other", "velocity"]
    assert store.versions("velocity") == ["1", "2", "10"]
    model = store.load("velocity", "10")
    assert model.id == ("velocity", "10", sha256_of(small_onnx()))
    assert model.features == FEATURES
    assert model.mean.shape == model.std.shape == (6,)
    assert (model.hidden_units, model.sample_rate_hz) == (4, 200.0)


def test_an_empty_store_has_nothing_and_says_so(store: FolderStore) -> None:
    assert store.names() == []
    assert store.versions("velocity") == []
    assert store.channels("velocity") == Channels()
    with pytest.raises(NotFoundError, match="model velocity has no version 1"):
        store.load("velocity", "1")


def test_a_version_never_changes(store: FolderStore) -> None:
    push(store, "1")
    with pytest.raises(ConflictError, match="has a version 1 already"):
        store.push("velocity", "1", small_model_files(seed=7))
    assert store.load("velocity", "1").onnx == small_onnx()


def test_of_those_who_push_one_version_at_once_one_succeeds(store: FolderStore) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(6)

    def push_one(seed: int) -> None:
        files = small_model_files(seed=seed)
        start.wait()
        try:
            outcomes.append(store.push("velocity", "1", files).id.sha256)
        except ConflictError:
            outcomes.append("")

    threads = [threading.Thread(target=push_one, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = filter(None, outcomes)
    assert store.load("velocity", "1").id.sha256 == winner
    assert [path.name for path in (store._folder / "velocity").iterdir()] == ["1"]


def test_a_model_that_changed_after_it_was_pushed_is_not_loaded(
    store: FolderStore, tmp_path: Path
) -> None:
    push(store, "1")
    (tmp_path / "models/velocity/1" / ONNX_FILE).write_bytes(small_onnx(seed=9))
    with pytest.raises(DataError, match="changed after it was pushed"):
        store.load("velocity", "1")


def test_channels_change_only_from_what_was_read(store: FolderStore) -> None:
    first = Channels(stable="1")
    store.set_channels("velocity", first, Channels())
    assert store.channels("velocity") == first
    with pytest.raises(ConflictError, match="changed by somebody else"):
        store.set_channels("velocity", Channels(stable="2"), Channels())
    assert store.channels("velocity") == first


def test_of_those_who_change_channels_at_once_one_succeeds(store: FolderStore) -> None:
    wins: list[str] = []
    start = threading.Barrier(6)

    def change(version: str) -> None:
        start.wait()
        try:
            store.set_channels("velocity", Channels(stable=version), Channels())
            wins.append(version)
        except ConflictError:
            pass

    threads = [threading.Thread(target=change, args=(str(k),)) for k in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.channels("velocity") == Channels(stable=wins[0])
    assert len(wins) == 1


def test_promotion_and_rollback_move_the_stable_version(store: FolderStore) -> None:
    push(store, "1", "2")
    assert promote(store, "velocity", "1", "stable") == Channels("1")
    assert promote(store, "velocity", "2", "candidate") == Channels("1", "2")
    assert promote(store, "velocity", None, "stable") == Channels("2", None, "1")
    assert promote(store, "velocity", "2", "stable") == Channels("2", None, "1")
    assert roll_back(store, "velocity") == Channels("1", None, "2")
    assert store.channels("velocity") == Channels("1", None, "2")


def test_what_is_not_there_is_not_promoted(store: FolderStore) -> None:
    push(store, "1")
    with pytest.raises(NotFoundError, match="no version 3"):
        promote(store, "velocity", "3", "stable")
    with pytest.raises(NotFoundError, match="no candidate"):
        promote(store, "velocity", None, "stable")
    with pytest.raises(NotFoundError, match="no version was stable before"):
        roll_back(store, "velocity")
    with pytest.raises(DataError, match="channel 'canary' is none of stable, candidate"):
        promote(store, "velocity", "1", "canary")
    assert store.channels("velocity") == Channels()


def test_channels_are_read_as_they_were_written_and_keep_to_their_form() -> None:
    channels = Channels("2", "3", "1")
    assert read_channels(write_channels(channels), "x") == channels
    assert read_channels(b'{"stable": "1", "candidate": null}', "x") == Channels("1")
    for content, message in (
        (b"{", "is not JSON"),
        (b"[]", "object"),
        (b'{"stable": 1}', "stable"),
    ):
        with pytest.raises(DataError, match=message):
            read_channels(content, "x")


def test_shipped_models_enter_a_store_that_has_none_and_become_stable(
    store: FolderStore, tmp_path: Path
) -> None:
    shipped = FolderStore(tmp_path / "shipped")
    push(shipped, "1")
    assert ensure_shipped(store, tmp_path / "shipped") == ["velocity"]
    assert store.channels("velocity") == Channels(stable="1")
    push(store, "2")
    promote(store, "velocity", "2", "stable")
    assert ensure_shipped(store, tmp_path / "shipped") == []
    assert store.channels("velocity").stable == "2"


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a" * 65, "é", "a\n"])
def test_names_that_could_leave_the_store_are_refused(store: FolderStore, name: str) -> None:
    assert not is_name(name)
    for call in (store.versions, store.channels):
        with pytest.raises(DataError, match="no name of a model"):
            call(name)


@pytest.mark.parametrize("version", ["", "0", "01", "v1", "1.0", "-1", "../1", "1\n", "²"])
def test_versions_are_whole_numbers(store: FolderStore, version: str) -> None:
    assert not is_version(version)
    with pytest.raises(DataError, match="no version"):
        store.load("velocity", version)


def test_a_store_that_cannot_be_written_says_where_and_why(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(UnavailableError, match=r"cannot write .*set models\.url"):
        push(FolderStore(tmp_path / "models"), "1")


def test_the_address_says_which_kind_of_store_it_is(tmp_path: Path) -> None:
    def store_at(url: str) -> object:
        return open_store(load_settings(models={"url": url}))

    assert isinstance(store_at(f"file://{tmp_path}"), FolderStore)
    assert isinstance(store_at("s3://bucket/models"), S3Store)
    for url in ("http://x", "file://", "s3://", "models"):
        with pytest.raises(ConfigurationError, match=r"models\.url"):
            store_at(url)


def with_json(file: str, **changes: object) -> dict[str, bytes]:
    files = small_model_files()
    return {**files, file: json.dumps({**json.loads(files[file]), **changes}).encode()}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({ONNX_FILE: b""}, "scaling.json is missing"),
        (with_json(FACTS_FILE, name="other"), "name is 'other'"),
        (with_json(FACTS_FILE, sha256="00"), "changed after it was pushed"),
        (with_json(FACTS_FILE, features=[]), "features must be a list"),
        (with_json(FACTS_FILE, hidden_units=0), "hidden_units is 0"),
        (with_json(FACTS_FILE, sample_rate_hz="fast"), "sample_rate_hz is 'fast'"),
        (with_json(SCALING_FILE, mean=[0.0]), "mean must be a list of 6 numbers"),
        (with_json(SCALING_FILE, std=[1.0] * 5 + [0.0]), r"std\[5\] is 0.0"),
        (with_json(SCALING_FILE, mean=[0.0] * 5 + [float("nan")]), r"mean\[5\] is nan"),
        (with_json(SCALING_FILE, mean=[0.0] * 5 + [True]), r"mean\[5\] is True"),
        ({**small_model_files(), SCALING_FILE: b"{"}, "is not JSON"),
        ({**small_model_files(), FACTS_FILE: b"[]"}, "JSON object"),
    ],
)
def test_what_is_wrong_with_the_files_is_said(files: dict[str, bytes], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_model("velocity", "1", files, "here")


def test_a_push_fills_in_what_model_json_leaves_out(store: FolderStore) -> None:
    push(store, "1")
    files = with_json(FACTS_FILE, name="", version="", sha256="")
    filled, identity = completed(store, files, "velocity", None, "here")
    assert identity == ("velocity", "2")
    assert read_model(*identity, filled, "here").id.sha256 == sha256_of(files[ONNX_FILE])
    with pytest.raises(DataError, match=r"no \$.name"):
        completed(store, files, None, None, "here")


def test_a_push_keeps_a_sha256_that_model_json_has_so_that_it_is_checked(
    store: FolderStore,
) -> None:
    files = with_json(FACTS_FILE, sha256="00")
    filled, identity = completed(store, files, None, "7", "here")
    assert identity == ("velocity", "7")
    with pytest.raises(DataError, match="sha256"):
        read_model(*identity, filled, "here")


def check(content: bytes, **facts: object) -> None:
    files = small_model_files()
    changed = {**json.loads(files[FACTS_FILE]), "sha256": sha256_of(content), **facts}
    files |= {ONNX_FILE: content, FACTS_FILE: json.dumps(changed).encode()}
    validate(read_model("velocity", "1", files, "here"))


def changed_onnx(change: Callable[[onnx.ModelProto], None]) -> bytes:
    model = onnx.load_model_from_string(small_onnx())
    change(model)
    content: bytes = model.SerializeToString()
    return content


def rename_output(model: onnx.ModelProto) -> None:
    model.graph.output[1].name = "cell_out_2"


def widen_lengths(model: onnx.ModelProto) -> None:
    model.graph.input[1].type.tensor_type.elem_type = onnx.TensorProto.INT64


def fix_batch(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1


def drop_lengths(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[4] = ""


def make_nan(model: onnx.ModelProto) -> None:
    bias = next(one for one in model.graph.initializer if one.name == "head_bias")
    bias.raw_data = b"\x00\x00\xc0\x7f" * 2


def keep_weights_outside(model: onnx.ModelProto) -> None:
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "/etc/passwd")


def negate_velocity(model: onnx.ModelProto) -> None:
    (relu,) = [one for one in model.graph.node if one.op_type == "Relu"]
    relu.op_type = "Neg"
    bias = next(one for one in model.graph.initializer if one.name == "head_bias")
    bias.raw_data = b"\x00\x00\x20\x41" * 2


def test_a_small_model_passes_validation() -> None:
    check(small_onnx())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"nonsense", "no valid ONNX model"),
        (b"", "no valid ONNX model"),
        (small_onnx(features=5), r"features has the shape .* must be \[any, any, 6\]"),
        (small_onnx(hidden_units=5), "hidden has the shape"),
        (changed_onnx(rename_output), "no valid ONNX model|has the outputs"),
        (changed_onnx(widen_lengths), "no valid ONNX model|lengths is INT64"),
        (changed_onnx(fix_batch), "no valid ONNX model|features has the shape"),
        (changed_onnx(drop_lengths), "another answer in a batch than alone"),
        (changed_onnx(make_nan), "NaN"),
        (changed_onnx(keep_weights_outside), "weights in other files"),
        (changed_onnx(negate_velocity), "velocity below 0"),
    ],
)
def test_a_model_that_cannot_serve_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check(content)


def test_a_model_of_columns_that_there_are_not_is_refused() -> None:
    for feature in ("sensor_id", "late", "acc_w"):
        with pytest.raises(DataError, match=r"\$.features\[5\]"):
            check(small_onnx(), features=[*FEATURES[:5], feature])
    with pytest.raises(DataError, match="twice"):
        check(small_onnx(), features=[*FEATURES[:5], FEATURES[0]])


def test_cuda_is_refused_where_onnxruntime_has_none() -> None:
    with pytest.raises(ConfigurationError, match=r"inference\.device is cuda"):
        open_session(small_onnx(), device="cuda")

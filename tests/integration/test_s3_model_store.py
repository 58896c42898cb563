"""The model store on a real S3 server: versions and channels change as in a folder."""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from small_model import small_model_files, small_onnx

from cluster.local.ports import settings_on_free_ports
from cluster.local.s3_gateway import BUCKET
from cluster.local.stack import S3, Stack
from pipelines.errors import (
    ConfigurationError,
    ConflictError,
    DataError,
    NotFoundError,
    UnavailableError,
)
from pipelines.models.channels import Channels
from pipelines.models.model_files import ONNX_FILE
from pipelines.models.promotion import promote, roll_back
from pipelines.models.s3_store import S3Store
from pipelines.models.store import open_store
from pipelines.s3_client import s3_client


@pytest.fixture(scope="module")
def s3() -> Iterator[Stack]:
    """An S3 server of its own."""
    folder = Path(tempfile.mkdtemp(prefix="imustream-test-"))
    stack = Stack(settings_on_free_ports(folder), (S3,))
    try:
        stack.up()
        yield stack
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def store(s3: Stack, request: pytest.FixtureRequest) -> S3Store:
    """An empty store on it."""
    return S3Store(BUCKET, f"models/{request.node.name}", s3.settings.s3)


def push(store: S3Store, *versions: str) -> None:
    for version in versions:
        store.push("velocity", version, small_model_files(version=version))


def test_what_was_pushed_is_loaded_as_it_was(store: S3Store) -> None:
    assert store.names() == []
    assert store.channels("velocity") == Channels()
    push(store, "1", "10", "2")
    assert store.names() == ["velocity"]
    assert store.versions("velocity") == ["1", "2", "10"]
    assert store.load("velocity", "10").onnx == small_onnx()
    with pytest.raises(NotFoundError, match="no version 3"):
        store.load("velocity", "3")


def test_a_version_never_changes(store: S3Store) -> None:
    push(store, "1")
    for seed in (0, 7):
        with pytest.raises(ConflictError, match="has a version 1 already"):
            store.push("velocity", "1", small_model_files(seed=seed))
    assert store.load("velocity", "1").onnx == small_onnx()


def test_of_those_who_push_one_version_at_once_one_succeeds(store: S3Store) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def push_one(seed: int) -> None:
        files = small_model_files(seed=seed)
        start.wait()
        try:
            outcomes.append(store.push("velocity", "1", files).id.sha256)
        except ConflictError:
            outcomes.append("")

    threads = [threading.Thread(target=push_one, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 4
    (winner,) = filter(None, outcomes)
    assert store.load("velocity", "1").id.sha256 == winner


def test_a_push_that_was_cut_off_is_not_seen_and_can_be_done_again(
    s3: Stack, store: S3Store, request: pytest.FixtureRequest
) -> None:
    files = small_model_files()
    key = f"models/{request.node.name}/velocity/1/{ONNX_FILE}"
    s3_client(s3.settings.s3).put_object(Bucket=BUCKET, Key=key, Body=files[ONNX_FILE])
    assert store.versions("velocity") == []
    with pytest.raises(ConflictError, match="another push"):
        store.push("velocity", "1", small_model_files(seed=7))
    push(store, "1")
    assert store.versions("velocity") == ["1"]


def test_a_model_that_changed_after_it_was_pushed_is_not_loaded(
    s3: Stack, store: S3Store, request: pytest.FixtureRequest
) -> None:
    push(store, "1")
    key = f"models/{request.node.name}/velocity/1/{ONNX_FILE}"
    s3_client(s3.settings.s3).put_object(Bucket=BUCKET, Key=key, Body=small_onnx(seed=9))
    with pytest.raises(DataError, match="changed after it was pushed"):
        store.load("velocity", "1")


def test_channels_change_only_from_what_was_read(store: S3Store) -> None:
    push(store, "1", "2")
    assert promote(store, "velocity", "1", "stable") == Channels("1")
    with pytest.raises(ConflictError, match="changed by somebody else"):
        store.set_channels("velocity", Channels("2"), Channels())
    assert promote(store, "velocity", "2", "stable") == Channels("2", None, "1")
    assert roll_back(store, "velocity") == Channels("1", None, "2")


def test_of_those_who_change_channels_at_once_one_succeeds(store: S3Store) -> None:
    wins: list[str] = []
    start = threading.Barrier(4)

    def change(version: str) -> None:
        start.wait()
        try:
            store.set_channels("velocity", Channels(version), Channels())
            wins.append(version)
        except ConflictError:
            pass

    threads = [threading.Thread(target=change, args=(str(k),)) for k in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    assert store.channels("velocity") == Channels(wins[0])


def test_the_stack_with_s3_keeps_its_models_there(s3: Stack) -> None:
    assert s3.settings.models.url == f"s3://{BUCKET}/models"
    assert isinstance(open_store(s3.settings), S3Store)


def test_what_is_wrong_with_the_settings_is_said(s3: Stack) -> None:
    settings = s3.settings.s3
    with pytest.raises(ConfigurationError, match="NoSuchBucket"):
        S3Store("nobody", "models", settings).names()
    stranger = settings.model_copy(update={"secret_key": SecretStr("a guess")})
    with pytest.raises(ConfigurationError, match=r"s3\.secret_key"):
        S3Store(BUCKET, "models", stranger).names()
    nowhere = settings.model_copy(update={"endpoint_url": "http://127.0.0.1:1"})
    with pytest.raises(UnavailableError, match=r"s3\.endpoint_url"):
        S3Store(BUCKET, "models", nowhere).names()

"""The archive's stores, a folder and a real S3, held to the same words."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from cluster.local.stack import Stack
from pipelines.archive.object_store import ObjectStore, open_store
from pipelines.errors import ConfigurationError, UnavailableError
from pipelines.settings import Settings
from tests.conftest import running_stack

_PATH = "t/dt=2026-01-01/hour=00/t+0+0-9.parquet"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack(("s3",)) as stack:
        yield stack


def _at(stack: Stack, url: str) -> Settings:
    settings = stack.settings.model_copy(deep=True)
    settings.archive.url = url
    return settings


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, stack: Stack, tmp_path: Path) -> ObjectStore:
    urls = {"folder": f"file://{tmp_path}/archive", "s3": f"s3://imustream/{tmp_path.name}"}
    store = open_store(_at(stack, urls[request.param]))
    store.check()
    return store


def test_a_file_is_put_in_place_of_one_that_is_there(store: ObjectStore) -> None:
    store.put(_PATH, b"first")
    store.put(_PATH, b"second")
    with store.open(_PATH) as file:
        assert file.read() == b"second"
    assert list(store.files("t/")) == [(_PATH, 6)]


def test_files_are_listed_in_order_by_what_their_paths_begin_with(store: ObjectStore) -> None:
    paths = [f"{topic}/dt=2026-01-01/hour=0{h}/x.parquet" for topic in "tu" for h in (1, 2)]
    for path in reversed(paths):
        store.put(path, b"x")
    assert [path for path, _ in store.files("t/")] == paths[:2]
    assert [path for path, _ in store.files("v/")] == []
    assert [path for path, _ in store.files("")] == paths


def test_parquet_is_read_through_it(store: ObjectStore) -> None:
    table = pa.table({"row": pa.array(range(10_000))})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    store.put(_PATH, sink.getvalue().to_pybytes())
    with store.open(_PATH) as file:
        assert pq.ParquetFile(file).read().equals(table)


def test_a_file_that_is_not_there_is_named(store: ObjectStore) -> None:
    with pytest.raises(FileNotFoundError, match=r"t\+0\+0-9"):
        store.open(_PATH)


def test_the_stack_keeps_archive_and_models_in_its_own_s3(stack: Stack) -> None:
    assert stack.settings.archive.url == "s3://imustream/archive"
    assert stack.settings.models.url == "s3://imustream/models"


def test_objects_outlast_a_restart_of_the_gateway(stack: Stack) -> None:
    store = open_store(_at(stack, "s3://imustream/restart"))
    store.put(_PATH, b"kept")
    stack.stop("s3")
    stack.start("s3")
    with store.open(_PATH) as file:
        assert file.read() == b"kept"


def test_s3_that_is_away_is_unavailable(stack: Stack) -> None:
    store = open_store(_at(stack, "s3://imustream/away"))
    stack.stop("s3")
    try:
        with pytest.raises(UnavailableError, match=r"failed at S3 http://127\.0\.0\.1"):
            store.check()
        with pytest.raises(UnavailableError, match="writing s3://imustream/away/t/"):
            store.put(_PATH, b"x")
    finally:
        stack.start("s3")


def test_a_wrong_key_and_a_missing_bucket_are_mistakes_of_the_settings(stack: Stack) -> None:
    settings = _at(stack, "s3://imustream/archive")
    settings.s3.secret_key = SecretStr("wrong")
    with pytest.raises(ConfigurationError, match=r"s3\.secret_key"):
        open_store(settings).check()
    with pytest.raises(ConfigurationError, match="NoSuchBucket"):
        open_store(_at(stack, "s3://nowhere/archive")).check()

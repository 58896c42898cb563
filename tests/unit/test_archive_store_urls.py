"""A folder as the archive's store: whole files or none, and plain words where it fails."""

from pathlib import Path

import pytest

from pipelines.archive.folder_store import FolderStore
from pipelines.archive.object_store import open_store
from pipelines.errors import ConfigurationError, UnavailableError
from pipelines.settings import load_settings

_PATH = "t/dt=2026-01-01/hour=00/t+0+0-9.parquet"


def test_a_file_is_put_in_place_of_what_was_there(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "archive")
    store.check()
    store.put(_PATH, b"first")
    store.put(_PATH, b"second")
    with store.open(_PATH) as file:
        assert file.read() == b"second"
    assert list(store.files("t/")) == [(_PATH, 6)]


def test_what_a_killed_writer_left_is_no_file_and_goes_with_the_next_put(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put(_PATH, b"first")
    left = (tmp_path / _PATH).with_name(".t+0+0-9.parquet.0123.partial")
    left.write_bytes(b"fir")
    assert list(store.files("t/")) == [(_PATH, 5)]
    store.put(_PATH, b"first")
    assert not left.exists()


def test_a_file_in_place_of_the_folder_is_a_mistake_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("not a folder")
    with pytest.raises((ConfigurationError, UnavailableError), match=r"archive.*failed"):
        FolderStore(tmp_path / "archive").put(_PATH, b"x")


@pytest.mark.parametrize("url", ["file://", "s3://", "/folder", "gs://bucket/archive"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"archive\.url"):
        open_store(load_settings(archive={"url": url}))

"""Which name and version a model gets that is about to be pushed."""

from collections.abc import Mapping

from pipelines.errors import DataError
from pipelines.models.model_files import read_facts, with_identity
from pipelines.models.store import ModelStore


def completed(
    store: ModelStore,
    files: Mapping[str, bytes],
    name: str | None,
    version: str | None,
    where: str,
) -> tuple[dict[str, bytes], tuple[str, str]]:
    """Return the files with name, version and SHA-256 in ``model.json``, and name and version.

    What the caller gives goes before what ``model.json`` says; a version that neither names is the
    next after the newest. A SHA-256 that ``model.json`` has already is kept, so that it can be
    checked.

    Raises:
        DataError: a file is missing or malformed, or nothing says the name.
    """
    facts = read_facts(files, where)
    wanted = name or facts.get("name")
    if not isinstance(wanted, str) or not wanted:
        raise DataError(f"{where}/model.json has no $.name: add it, or give --name")
    given = version or facts.get("version") or str(_next_version(store.versions(wanted)))
    identity = wanted, str(given)
    return with_identity(files, *identity, where), identity


def _next_version(versions: list[str]) -> int:
    return int(versions[-1]) + 1 if versions else 1

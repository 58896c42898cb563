"""Let FerretDB find documents by `_id` through an index of SQLite.

FerretDB 1.24 asks SQLite for ``_ferretdb_sjson->'$._id'``, and the index it makes is on
``_ferretdb_sjson->"_id"``, which SQLite cannot use for that: every look-up and every update reads
the whole collection. Among 20,000 sessions an update took 190 ms, with the index made here 1 ms.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import CollectionInvalid, PyMongoError

from pipelines.errors import UnavailableError
from pipelines.settings import MongoSettings
from pipelines.sinks.session_documents import SENSORS, SESSIONS
from serve import command_store, label_store
from serve.edge import audit_log, idempotency_store

_COLLECTIONS = (
    SESSIONS,
    SENSORS,
    audit_log.COLLECTION,
    idempotency_store.COLLECTION,
    label_store.COLLECTION,
    command_store.COLLECTION,
    command_store.REPLIES,
)

_FIRST_SQLITE = (3, 38)
"""An older SQLite does not know ``->``; look-ups are slow then, and all else works."""
_WAIT_S = 10.0


def index_document_ids(settings: MongoSettings, home: Path) -> None:
    """Make the collections that are looked up by id where they are missing, and their indexes.

    Args:
        settings: how to reach the running FerretDB.
        home: the folder of its SQLite files.

    Raises:
        UnavailableError: it does not answer, or its file is not as FerretDB 1.24 makes it.
    """
    if sqlite3.sqlite_version_info < _FIRST_SQLITE:
        return
    _make_collections(settings)
    file = home / f"{settings.database}.sqlite"
    try:
        with closing(sqlite3.connect(file, timeout=_WAIT_S)) as database, database:
            tables = database.execute(
                "SELECT table_name FROM _ferretdb_collections WHERE name IN "
                f"({', '.join('?' * len(_COLLECTIONS))})",
                _COLLECTIONS,
            ).fetchall()
            for (table,) in tables:
                database.execute(
                    f'CREATE INDEX IF NOT EXISTS "{table}_lookup" ON "{table}" '
                    "(_ferretdb_sjson->'$._id')"
                )
    except sqlite3.Error as error:
        raise UnavailableError(
            f"the document database's file {file} cannot be indexed ({error}): another FerretDB "
            "may have made it; run `make setup`, and move the file away if that does not help"
        ) from None


def _make_collections(settings: MongoSettings) -> None:
    client: MongoClient[dict[str, object]] = MongoClient(
        settings.uri.get_secret_value(), serverSelectionTimeoutMS=int(_WAIT_S * 1000)
    )
    try:
        for name in _COLLECTIONS:
            try:
                client[settings.database].create_collection(name)
            except CollectionInvalid:
                continue  # it is there
    except PyMongoError as error:
        raise UnavailableError(f"the document database does not answer: {error}") from None
    finally:
        client.close()

"""The local document database finds sessions by their id without reading all of them."""

import sqlite3
from contextlib import closing

from cluster.local.documentdb_index import index_document_ids
from cluster.local.stack import Stack

_LOOK_UP = "EXPLAIN QUERY PLAN SELECT * FROM \"{}\" WHERE _ferretdb_sjson->'$._id' = ?"
"""As FerretDB asks SQLite."""


def test_a_look_up_by_id_uses_an_index_which_is_made_once(servers: Stack) -> None:
    settings = servers.settings
    home = servers.folder.path / "documentdb"
    index_document_ids(settings.mongo, home)
    file = home / f"{settings.mongo.database}.sqlite"
    with closing(sqlite3.connect(file)) as database:
        tables = dict(database.execute("SELECT name, table_name FROM _ferretdb_collections"))
        assert {"sessions", "sensors"} <= set(tables)
        for name in ("sessions", "sensors"):
            plan = str(database.execute(_LOOK_UP.format(tables[name]), ("x",)).fetchall())
            assert f"USING INDEX {tables[name]}_lookup" in plan

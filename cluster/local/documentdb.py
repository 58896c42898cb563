"""The document database: FerretDB, which speaks MongoDB's protocol, with SQLite behind it."""

from pathlib import Path

from pymongo.uri_parser import parse_uri

from cluster.local.documentdb_index import index_document_ids
from cluster.local.server import Port, Server, awaited_port
from cluster.setup import tools
from pipelines.errors import ConfigurationError
from pipelines.settings import Settings


def documentdb_server(settings: Settings, folder: Path) -> Server:
    """FerretDB, its SQLite files under ``folder``."""
    home = folder / "documentdb"
    port = _port(settings)
    return Server(
        name="documentdb",
        title="the document database",
        command=[str(tools.documentdb()), f"127.0.0.1:{port}", str(home)],
        prepare=lambda: home.mkdir(parents=True, exist_ok=True),
        awaited=lambda: awaited_port(port),
        settle=lambda: index_document_ids(settings.mongo, home),
        ports=(Port(port, "IMUSTREAM_MONGO__URI"),),
    )


def _port(settings: Settings) -> int:
    host, port = parse_uri(settings.mongo.uri.get_secret_value())["nodelist"][0]
    if host not in ("127.0.0.1", "localhost"):
        raise ConfigurationError(
            f"setting mongo.uri: {host} is not 127.0.0.1, where `imustream up` runs its own "
            "document database; unset it, or start the pipelines on your cluster with "
            "`ray job submit` (README)"
        )
    return int(port)

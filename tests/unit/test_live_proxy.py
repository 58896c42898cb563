"""The environment that gives Serve a fast and bounded HTTP side."""

from pathlib import Path

import pytest

from pipelines.errors import ConfigurationError
from pipelines.settings import ServeSettings
from serve.proxy_environment import proxy_environment

NODE_ID_CHARACTERS = 56
LONGEST_SOCKET_PATH = 97


def test_the_longest_folder_that_is_taken_leaves_room_for_haproxys_sockets() -> None:
    folder = Path("/tmp") / f"imustream-{'x' * 23}"
    try:
        environment = proxy_environment(folder, (1, 2, 3), ServeSettings())
    finally:
        folder.rmdir()
    for name in ("SOCKET_PATH", "METRICS_SOCKET_PATH"):
        socket = Path(environment[f"RAY_SERVE_HAPROXY_{name}"])
        path = socket.parent / ("f" * NODE_ID_CHARACTERS) / socket.name
        assert len(str(path)) == LONGEST_SOCKET_PATH


def test_a_longer_folder_is_refused_with_its_length() -> None:
    with pytest.raises(ConfigurationError, match="39 characters, more than 38"):
        proxy_environment(Path("/tmp") / f"imustream-{'x' * 24}", (1, 2, 3), ServeSettings())

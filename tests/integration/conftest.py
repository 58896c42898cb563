"""`live` and `api` on a Ray head of their own, over the session's Kafka, Mosquitto and database."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from serve_clients import MAX_CLIENTS, MAX_QUEUE, MAX_SUBSCRIPTIONS, QUEUE_MESSAGES

from cluster.local.ports import settings_on_free_ports
from cluster.local.ray_head import ray_environment
from cluster.local.settings_environment import child_environment, without_settings
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from pipelines.admin import create_topics
from pipelines.settings import Settings
from serve.signing_key import new_key_pem

_DEPLOY_TIMEOUT_S = 90


@pytest.fixture(scope="session")
def serving(servers: Stack) -> Iterator[Settings]:
    """Settings of a running `live` and `api`, deployed by `python -m serve`."""
    base = servers.settings
    create_topics(base.kafka)
    folder = Path(tempfile.mkdtemp(prefix="imustream-test-"))
    settings = settings_on_free_ports(
        folder,
        kafka={"bootstrap_servers": base.kafka.bootstrap_servers},
        mqtt={"port": base.mqtt.port},
        mongo={"uri": base.mongo.uri.get_secret_value()},
        auth={"signing_key": new_key_pem()},
        serve={"limit_login": ""},
        inference={"max_queue": MAX_QUEUE, "poll_s": 0.5},
        live={
            "max_clients": MAX_CLIENTS,
            "queue_messages": QUEUE_MESSAGES,
            "max_subscriptions": MAX_SUBSCRIPTIONS,
        },
    )
    ray = Stack(settings, ("ray",))
    try:
        ray.up()
        deploy(ray.settings)
        yield ray.settings
    finally:
        ray.down()
        shutil.rmtree(folder, ignore_errors=True)


def deploy(settings: Settings) -> None:
    """Run `python -m serve`."""
    environment = {
        **without_settings(dict(os.environ)),
        **child_environment(settings, ROOT),
        **ray_environment(),
    }
    command = [sys.executable, "-m", "serve"]
    subprocess.run(command, env=environment, check=True, timeout=_DEPLOY_TIMEOUT_S)

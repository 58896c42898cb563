"""Our programs on a Kafka that lets each of its users do only what its KafkaUser grants."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient

from cluster.local.certificates import certificate_files
from cluster.local.kafka import tls_folder
from cluster.local.ports import free_block
from cluster.local.ray_head import ray_environment
from cluster.local.settings_environment import child_environment, without_settings
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from pipelines.admin import create_topics
from pipelines.kafka_clients import client_options
from pipelines.settings import KafkaSettings, Settings
from tests.cluster.kafka_users import KafkaUser, make_user
from tests.conftest import running_stack

_DEPLOY_TIMEOUT_S = 150.0
_REFUSED = re.compile(r"Principal = \S+ is Denied .*")


class SecuredStack:
    """Kafka with users, and the settings of each; :attr:`stack` itself comes as superuser."""

    def __init__(self, stack: Stack, users: Mapping[str, KafkaUser]) -> None:
        self.stack = stack
        create_topics(stack.settings.kafka)
        admin = AdminClient(client_options(stack.settings.kafka, "users"))
        self._passwords = stack.folder.path / "passwords"
        self._passwords.mkdir(mode=0o700)
        for user in users.values():
            (self._passwords / user.name).write_text(make_user(admin, user) + "\n")

    def kafka(self, user: str) -> KafkaSettings:
        """How a user reaches Kafka."""
        authority = certificate_files(tls_folder(self.stack.folder.path)).authority
        return KafkaSettings.model_validate(
            {
                "bootstrap_servers": f"127.0.0.1:{self.stack.settings.local.kafka_tls_port}",
                "tls": True,
                "tls_ca_file": authority,
                "username": user,
                "password": self._password_file(user).read_text().strip(),
            }
        )

    def settings(self, user: str) -> Settings:
        """The stack's settings as a user of Kafka."""
        return self.stack.settings.model_copy(update={"kafka": self.kafka(user)})

    def run(self, user: str, *program: str, bridge: str | None = None) -> None:
        """Run ``python -m PROGRAM`` as a user, its password in a file as in a pod."""
        environment = {
            **without_settings(dict(os.environ)),
            **child_environment(self.settings(user), ROOT),
            **ray_environment(),
        }
        del environment["IMUSTREAM_KAFKA__PASSWORD"]
        environment["IMUSTREAM_KAFKA__PASSWORD_FILE"] = str(self._password_file(user))
        if bridge is not None:
            environment["IMUSTREAM_KAFKA__BRIDGE_USERNAME"] = bridge
            file = self._password_file(bridge)
            environment["IMUSTREAM_KAFKA__BRIDGE_PASSWORD_FILE"] = str(file)
        subprocess.run(
            [sys.executable, "-m", *program],
            env=environment,
            check=True,
            timeout=_DEPLOY_TIMEOUT_S,
        )

    def refusals(self) -> set[str]:
        """What Kafka has refused to whom so far, in its own words."""
        log = self.stack.supervision.log_of("kafka").read_text()
        return set(_REFUSED.findall(log))

    def _password_file(self, user: str) -> Path:
        return self._passwords / user


@contextmanager
def secured_stack(
    users: Mapping[str, KafkaUser], parts: tuple[str, ...], **sections: Any
) -> Iterator[SecuredStack]:
    """A stack of these parts whose Kafka has these users; it goes away with the block."""
    local = {"kafka_tls_port": free_block(1), **sections.pop("local", {})}
    with running_stack(parts, local=local, **sections) as stack:
        yield SecuredStack(stack, users)

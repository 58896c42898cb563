"""Kafka users as Strimzi's KafkaUsers describe them, made on a Kafka without Strimzi.

Strimzi's user operator does the same with them on a cluster: a SCRAM-SHA-512 credential and a
binding for each operation of each ACL.
"""

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from cluster.setup.paths import ROOT

MANIFESTS: Final = ROOT / "cluster" / "kubernetes"

_TIMEOUT_S: Final = 30.0
_ITERATIONS: Final = 4_096
_RESOURCES: Final = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactionalId": ResourceType.TRANSACTIONAL_ID,
    "cluster": ResourceType.BROKER,
}
_PATTERNS: Final = {"literal": ResourcePatternType.LITERAL, "prefix": ResourcePatternType.PREFIXED}
_OPERATIONS: Final = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Create": AclOperation.CREATE,
    "Delete": AclOperation.DELETE,
    "Alter": AclOperation.ALTER,
    "Describe": AclOperation.DESCRIBE,
    "ClusterAction": AclOperation.CLUSTER_ACTION,
    "AlterConfigs": AclOperation.ALTER_CONFIGS,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "IdempotentWrite": AclOperation.IDEMPOTENT_WRITE,
    "All": AclOperation.ALL,
}


class KafkaUser(NamedTuple):
    """A user, and the ACLs of its manifest as they stand there."""

    name: str
    acls: Sequence[dict[str, Any]]


def users_of(file: Path) -> dict[str, KafkaUser]:
    """Return the KafkaUsers of a manifest by name."""
    documents = list(yaml.safe_load_all(file.read_text()))
    return {
        document["metadata"]["name"]: KafkaUser(
            document["metadata"]["name"], document["spec"]["authorization"]["acls"]
        )
        for document in documents
        if document and document["kind"] == "KafkaUser"
    }


def make_user(admin: AdminClient, user: KafkaUser) -> str:
    """Make the user with its ACLs and return the password."""
    password = secrets.token_urlsafe(24)
    credential = UserScramCredentialUpsertion(
        user.name,
        ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS),
        password.encode(),
    )
    for answer in admin.alter_user_scram_credentials([credential]).values():
        answer.result(_TIMEOUT_S)
    for granted in admin.create_acls(list(_bindings(user))).values():
        granted.result(_TIMEOUT_S)
    return password


def _bindings(user: KafkaUser) -> Iterator[AclBinding]:
    for acl in user.acls:
        resource = acl["resource"]
        for operation in acl["operations"]:
            yield AclBinding(
                _RESOURCES[resource["type"]],
                resource.get("name", "kafka-cluster"),
                _PATTERNS[resource.get("patternType", "literal")],
                f"User:{user.name}",
                acl.get("host", "*"),
                _OPERATIONS[operation],
                AclPermissionType[acl.get("type", "allow").upper()],
            )

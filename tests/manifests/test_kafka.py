"""Topics, users and brokers are as the code has them."""

from typing import Any

from pipelines.topics import MAX_MESSAGE_BYTES, TOPICS
from tests.manifests.rendering import Object, of_kind, the


def _settings(objects: list[Object]) -> dict[str, str]:
    (found,) = (
        one["data"]
        for one in of_kind(objects, "ConfigMap")
        if one["metadata"]["name"].startswith("imustream-settings-")
    )
    return {str(key): str(value) for key, value in found.items()}


def _brokers(objects: list[Object]) -> int:
    pools = of_kind(objects, "KafkaNodePool")
    return sum(one["spec"]["replicas"] for one in pools if "broker" in one["spec"]["roles"])


def test_the_topics_are_those_of_the_code(objects: list[Object]) -> None:
    brokers = _brokers(objects)
    wanted = {
        topic.name: {
            "partitions": topic.partitions,
            "replicas": min(3, brokers),
            "config": topic.config | {"min.insync.replicas": str(min(2, brokers))},
        }
        for topic in TOPICS
    }
    found: dict[str, Any] = {
        one["metadata"]["name"]: {
            "partitions": one["spec"]["partitions"],
            "replicas": one["spec"]["replicas"],
            "config": {key: str(value) for key, value in one["spec"]["config"].items()},
        }
        for one in of_kind(objects, "KafkaTopic")
    }
    connects = {name for name in found if name.startswith("connect-")}
    assert {name: found[name] for name in found.keys() - connects} == wanted
    assert all(found[name]["replicas"] <= brokers for name in connects)


def test_brokers_and_programs_agree_on_replicas(objects: list[Object]) -> None:
    config = the(objects, "Kafka", "streaming")["spec"]["kafka"]["config"]
    settings = _settings(objects)
    assert settings["IMUSTREAM_KAFKA__REPLICATION_FACTOR"] == str(min(3, _brokers(objects)))
    in_sync = settings["IMUSTREAM_KAFKA__MIN_INSYNC_REPLICAS"]
    assert str(config["min.insync.replicas"]) == in_sync
    assert str(config["transaction.state.log.min.isr"]) == in_sync
    assert config["message.max.bytes"] == MAX_MESSAGE_BYTES
    assert config["auto.create.topics.enable"] is False


def test_all_belongs_to_the_one_cluster(objects: list[Object]) -> None:
    clusters = {one["metadata"]["name"] for one in of_kind(objects, "Kafka", "KafkaConnect")}
    for one in of_kind(objects, "KafkaTopic", "KafkaUser", "KafkaNodePool", "KafkaConnector"):
        assert one["metadata"]["labels"]["strimzi.io/cluster"] in clusters


def test_nobody_has_a_right_to_everything(objects: list[Object]) -> None:
    (listener,) = the(objects, "Kafka", "streaming")["spec"]["kafka"]["listeners"]
    assert listener["tls"] is True
    assert listener["authentication"]["type"] == "scram-sha-512"
    topics = {one["metadata"]["name"] for one in of_kind(objects, "KafkaTopic")}
    for user in of_kind(objects, "KafkaUser"):
        assert user["spec"]["authorization"]["type"] == "simple"
        for acl in user["spec"]["authorization"]["acls"]:
            resource, operations = acl["resource"], set(acl["operations"])
            assert operations.isdisjoint({"All", "Alter", "AlterConfigs", "Delete", "Create"})
            if "Write" in operations and resource["type"] == "topic":
                assert resource["patternType"] == "literal" and resource["name"] in topics


def test_the_raw_data_are_written_by_the_bridge_alone(objects: list[Object]) -> None:
    writers = {
        user["metadata"]["name"]
        for user in of_kind(objects, "KafkaUser")
        for acl in user["spec"]["authorization"]["acls"]
        if acl["resource"].get("name") == "imu-data-all" and "Write" in acl["operations"]
    }
    assert writers == {"bridge"}

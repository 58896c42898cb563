"""Kafka and Mosquitto, and what all of it stands on: disks, certificates, what is watched."""

from typing import Final

from cluster.monitoring.dashboards.board import RATE, Board, Panel, Query, Row

_KAFKA: Final = Row(
    "Kafka",
    (
        Panel(
            "Brokers",
            "That the cluster names.",
            (Query("max(imustream_kafka_brokers)"),),
            kind="number",
            width=4,
        ),
        Panel(
            "Partitions without a replica",
            "Of our topics, a replica of which is not in sync: with one broker less there is "
            "nothing to write to where min.insync.replicas is 2.",
            (Query("max(imustream_kafka_under_replicated_partitions)"),),
            kind="number",
            width=4,
            worry=1,
        ),
        Panel(
            "Offsets a second",
            "Records and markers of transactions, by topic.",
            (
                Query(
                    f"sum by (topic) (rate(imustream_topic_end_offsets[{RATE}]))",
                    "{{topic}}",
                ),
            ),
            "cps",
        ),
        Panel(
            "Reception to Kafka, p99",
            "From the bridge's reception until Kafka had acknowledged the record.",
            (Query('max(imustream:latency_seconds:p99_1m{stage="kafka"})'),),
            "s",
        ),
    ),
)

_MOSQUITTO: Final = Row(
    "Mosquitto and the bridge",
    (
        Panel(
            "Messages",
            "PUBLISH received, sent on, dropped.",
            (
                Query(
                    f"sum by (what) (rate(imustream_mqtt_messages_total[{RATE}]))",
                    "{{what}}",
                ),
            ),
            "cps",
        ),
        Panel(
            "Bytes",
            "At the broker's sockets.",
            (Query(f"sum by (what) (rate(imustream_mqtt_bytes_total[{RATE}]))", "{{what}}"),),
            "Bps",
        ),
        Panel(
            "Kept for clients",
            "Messages in the broker's memory: they gather while the bridge is away.",
            (Query("max(imustream_mqtt_stored_messages)"),),
        ),
        Panel(
            "Memory of the broker",
            "It keeps what the bridge has not taken: 15 GB an hour at 3,125 frames/s.",
            (Query("max(imustream_mqtt_heap_bytes)"),),
            "bytes",
        ),
        Panel(
            "Bridge connected",
            "1 while the bridge has its session at the broker.",
            (Query("max(imustream_bridge_connected)"),),
            "none",
        ),
        Panel(
            "In flight in the bridge",
            "Received and not yet in Kafka. At mqtt.receive_maximum it reads no more.",
            (Query("sum(imustream_bridge_in_flight)"),),
        ),
    ),
)

_GROUND: Final = Row(
    "What they stand on",
    (
        Panel(
            "Free disk",
            "Share that is free where each folder lies.",
            (
                Query(
                    "min by (folder) (imustream_disk_free_bytes / imustream_disk_size_bytes)",
                    "{{folder}}",
                ),
            ),
            "percentunit",
        ),
        Panel(
            "Certificates end in",
            "Devices and clients are refused after that.",
            (
                Query(
                    "min by (certificate) (imustream_certificate_expiry_timestamp_seconds) "
                    "- time()",
                    "{{certificate}}",
                ),
            ),
            "s",
        ),
        Panel(
            "Targets",
            "1: it gives metrics. What is 0 makes other panels blind.",
            (
                Query("min by (job) (up)", "{{job}}"),
                Query("min by (source) (imustream_books_up)", "{{source}}"),
            ),
            "none",
        ),
        Panel(
            "CPU of Ray's nodes",
            "As Ray sees it, in percent of each node.",
            (Query("max by (instance) (ray_node_cpu_utilization)", "{{instance}}"),),
            "none",
            width=12,
        ),
        Panel(
            "Memory of Ray's nodes",
            "Used, as Ray sees it.",
            (Query("max by (instance) (ray_node_mem_used)", "{{instance}}"),),
            "bytes",
            width=12,
        ),
    ),
)

BOARD: Final = Board(
    "imustream-brokers",
    "imustream: Kafka and Mosquitto",
    "The brokers, the bridge between them, and what they stand on.",
    (_KAFKA, _MOSQUITTO, _GROUND),
)

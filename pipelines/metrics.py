"""Every metric of imustream: its name, what it says, its labels. Nothing else stands here.

Names follow Prometheus' conventions: the unit is in the name, a counter ends in ``_total``. Labels
have few values, which no client chooses; a sensor is named only where it is watched.

The first part each process keeps of itself (:mod:`pipelines.metric_kinds`). The second is read by
the exporter where it stands: in Kafka, where ledgers and marks are committed with what they count,
so that these counters count exactly once; at the MQTT broker; in files.
"""

from typing import Final

from pipelines.metric_kinds import Book, Counter, Gauge, Histogram

_LATENCY_S: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 10, 60)
_CALL_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)
_SEQUENCES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

# Kept by the processes.

LATENCY_SECONDS: Final = Histogram(
    "imustream_latency_seconds",
    "Since the bridge received a frame, until a stage had it: kafka (acknowledged to the bridge), "
    "transformed (its samples committed), websocket (a record's messages handed to the clients; "
    "one for each record, since its oldest frame).",
    "stage",
    buckets=_LATENCY_S,
)

TRANSACTION_SECONDS: Final = Histogram(
    "imustream_transaction_duration_seconds",
    "From the beginning of a transaction to its commit.",
    "pipeline",
    buckets=_CALL_S,
)
COMMIT_FAILURES: Final = Counter(
    "imustream_commit_failures_total",
    "Runs of a slot that ended in a failure; what was not committed is read again.",
    "pipeline",
)
SLOT_STARTS: Final = Counter(
    "imustream_slot_starts_total",
    "Runs of a slot that began: at first, after a failure, and after its process died.",
    "pipeline",
)
INPUT_BYTES: Final = Counter(
    "imustream_input_bytes_total",
    "Payload bytes taken in; those of a turn that failed are counted again.",
    "pipeline",
)
WATERMARK_SECONDS: Final = Gauge(
    "imustream_watermark_timestamp_seconds",
    "Reception (by the bridge's clock) of the newest record that a pipeline has committed of a "
    "partition, seconds since the epoch; a tick each second moves it even where no sensor sends.",
    "pipeline",
    "partition",
    together="max",
)
DEAD_LETTERS: Final = Counter(
    "imustream_dead_letters_total",
    "Records quarantined, by reason.",
    "pipeline",
    "reason",
)

BRIDGE_RECEIVED: Final = Counter(
    "imustream_bridge_received_total",
    "MQTT messages received. received = delivered + refused + returned + in flight.",
)
BRIDGE_DELIVERED: Final = Counter(
    "imustream_bridge_delivered_total", "MQTT messages that imu-data-all has."
)
BRIDGE_REFUSED: Final = Counter(
    "imustream_bridge_refused_total", "MQTT messages that dead-letters has, whole or in pieces."
)
BRIDGE_RETURNED: Final = Counter(
    "imustream_bridge_returned_total",
    "MQTT messages not acknowledged, which the MQTT broker delivers again.",
)
BRIDGE_IN_FLIGHT: Final = Gauge(
    "imustream_bridge_in_flight",
    "MQTT messages received and not yet in Kafka.",
    together="livesum",
)
BRIDGE_IN_FLIGHT_BYTES: Final = Gauge(
    "imustream_bridge_in_flight_bytes", "Bytes of those messages.", together="livesum"
)
BRIDGE_CONNECTED: Final = Gauge(
    "imustream_bridge_connected",
    "Whether a bridge has its session at the MQTT broker: 1 or 0.",
    together="livemax",
)
BRIDGE_CONNECTIONS: Final = Counter(
    "imustream_bridge_connections_total", "Connections to the MQTT broker that it let in."
)

INFERENCE_SECONDS: Final = Histogram(
    "imustream_inference_duration_seconds",
    "One run of onnxruntime, of all sequences of a batch.",
    "model",
    "version",
    buckets=_CALL_S,
)
INFERENCE_BATCH_SIZE: Final = Histogram(
    "imustream_inference_batch_size",
    "Sequences that were run together.",
    "model",
    "version",
    buckets=_SEQUENCES,
)
INFERENCE_SEQUENCES: Final = Counter(
    "imustream_inference_sequences_total", "Sequences that were run.", "model", "version"
)

LIVE_CLIENTS: Final = Gauge(
    "imustream_live_clients", "WebSocket clients connected.", together="livesum"
)
LIVE_MESSAGES: Final = Counter(
    "imustream_live_messages_total", "Messages sent to WebSocket clients."
)
LIVE_DROPPED: Final = Counter(
    "imustream_live_dropped_total",
    "Messages dropped because their client read too slowly; it was told how many.",
)

ARCHIVE_STALENESS_SECONDS: Final = Gauge(
    "imustream_archive_staleness_seconds",
    "How long the record that waits longest to be archived has waited, of all partitions.",
    "topic",
    together="livemax",
)
SESSION_WRITE_SECONDS: Final = Histogram(
    "imustream_session_write_duration_seconds",
    "One turn's writing of documents to MongoDB.",
    buckets=_CALL_S,
)

HTTP_REQUESTS: Final = Counter(
    "imustream_http_requests_total",
    "HTTP requests answered; route is the template, never the path.",
    "application",
    "route",
    "method",
    "status",
)
HTTP_SECONDS: Final = Histogram(
    "imustream_http_request_duration_seconds",
    "From an HTTP request's head to the end of its answer.",
    "application",
    "route",
    buckets=_CALL_S,
)

# Read by the exporter, with --books.

_PLACE: Final = ("pipeline", "partition")

LAG_RECORDS: Final = Book(
    "imustream_lag_records",
    "Offsets of an input partition that a pipeline has yet to do.",
    ("pipeline", "topic", "partition"),
)
RECORDS: Final = Book(
    "imustream_records_total",
    "Records that a pipeline has done, by its committed ledger or mark.",
    _PLACE,
)
SAMPLES: Final = Book("imustream_samples_total", "Samples that a pipeline has done.", _PLACE)
FRAMES: Final = Book(
    "imustream_frames_total",
    "Frames, by what became of them: transformed, duplicate, heartbeat or dead_letter.",
    ("partition", "fate"),
)
DUPLICATE_SAMPLES: Final = Book(
    "imustream_duplicate_samples_total",
    "Samples that had come before: recognised by their number, and not emitted again.",
    ("partition",),
)
GAP_SAMPLES: Final = Book(
    "imustream_gap_samples_total",
    "Samples that were missing when later ones came.",
    ("partition",),
)
GAP_SAMPLES_FILLED: Final = Book(
    "imustream_gap_samples_filled_total",
    "Of those, samples that came after all.",
    ("partition",),
)
LATE_SAMPLES: Final = Book(
    "imustream_late_samples_total",
    "Samples whose window had closed before they came.",
    ("partition",),
)
UNBALANCED: Final = Book(
    "imustream_unbalanced_records",
    "What went into a pipeline and came out in no way (lost), or came out only (doubled), by its "
    "own ledger: always 0.",
    ("pipeline", "kind"),
)
ARCHIVED_ROWS: Final = Book("imustream_archived_rows_total", "Rows in Parquet.", ("topic",))
ARCHIVED_BYTES: Final = Book(
    "imustream_archived_bytes_total", "Bytes of Parquet files.", ("topic",)
)
PREDICTED_SAMPLES: Final = Book(
    "imustream_predicted_samples_total",
    "Samples of ml-inference, by what became of them: predicted, skipped or not_a_number.",
    ("partition", "fate"),
)
LAST_COMMIT_SECONDS: Final = Book(
    "imustream_last_commit_timestamp_seconds",
    "When a slot committed last for a partition, seconds since the epoch, by its ledger or mark.",
    ("pipeline", "slot", "topic", "partition"),
)
SLOTS: Final = Book(
    "imustream_slots", "Slots of a pipeline: desired, and running.", ("pipeline", "state")
)
PAUSED: Final = Book("imustream_paused", "Whether a pipeline is paused: 1 or 0.", ("pipeline",))
ALARMS: Final = Book(
    "imustream_alarms", "Whether a slot of a pipeline raises an alarm: 1 or 0.", ("pipeline",)
)
SENSORS: Final = Book("imustream_sensors", "Sensors known: live, and silent.", ("state",))
SENSOR_LAST_SEEN_SECONDS: Final = Book(
    "imustream_sensor_last_seen_timestamp_seconds",
    "When a frame of a sensor came last, seconds since the epoch; only of sensors whose label "
    "`monitored` is `true`, and 0 of one that has never sent.",
    ("sensor_id",),
)
MONITORED_LEFT_OUT: Final = Book(
    "imustream_monitored_sensors_left_out",
    "Sensors labelled `monitored` beyond metrics.max_monitored, which are not watched.",
)
TOPIC_RECORDS: Final = Book(
    "imustream_topic_end_offsets",
    "Sum of the end offsets of a topic's partitions: committed records, with the markers of "
    "transactions.",
    ("topic",),
)
KAFKA_BROKERS: Final = Book("imustream_kafka_brokers", "Brokers that the cluster names.")
KAFKA_UNDER_REPLICATED: Final = Book(
    "imustream_kafka_under_replicated_partitions",
    "Partitions of our topics of which a replica is not in sync.",
)
BOOKS_UP: Final = Book(
    "imustream_books_up",
    "Whether a source could be read for this scrape (1 or 0): kafka, mongodb.",
    ("source",),
)

# Read by the exporter, always: what the settings name, where it runs.

CERTIFICATE_EXPIRY_SECONDS: Final = Book(
    "imustream_certificate_expiry_timestamp_seconds",
    "When a certificate ends, seconds since the epoch; of authorities in a file the last to end.",
    ("certificate",),
)
DISK_FREE_BYTES: Final = Book(
    "imustream_disk_free_bytes", "Free bytes where a folder lies.", ("folder",)
)
DISK_SIZE_BYTES: Final = Book(
    "imustream_disk_size_bytes", "Size of the file system where a folder lies.", ("folder",)
)

# Read by the exporter at the MQTT broker's $SYS topics, with --mqtt.

MQTT_UP: Final = Book("imustream_mqtt_up", "Whether the MQTT broker says how it is: 1 or 0.")
MQTT_CLIENTS: Final = Book(
    "imustream_mqtt_clients", "Clients of the MQTT broker, by state.", ("state",)
)
MQTT_MESSAGES: Final = Book(
    "imustream_mqtt_messages_total",
    "PUBLISH messages at the MQTT broker: received, sent or dropped.",
    ("what",),
)
MQTT_BYTES: Final = Book(
    "imustream_mqtt_bytes_total", "Bytes at the MQTT broker: received or sent.", ("what",)
)
MQTT_STORED_MESSAGES: Final = Book(
    "imustream_mqtt_stored_messages", "Messages that the MQTT broker holds for its clients."
)
MQTT_HEAP_BYTES: Final = Book("imustream_mqtt_heap_bytes", "Memory that the MQTT broker uses.")

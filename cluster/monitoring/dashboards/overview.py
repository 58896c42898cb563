"""From MQTT to Parquet at a glance, and what is lost at each arrow: nothing, or it shows here."""

from typing import Final

from cluster.monitoring.dashboards.board import RATE, Board, Panel, Query, Row, or_none

_PROCESSING = 'pipeline="sensor-processing"'

_NOW: Final = Row(
    "Now",
    (
        Panel(
            "Alerts",
            "Alerts that fire. Each has a page in docs/runbooks.",
            (Query(or_none('count(ALERTS{alertstate="firing"})')),),
            kind="number",
            width=4,
            worry=1,
        ),
        Panel(
            "Samples a second",
            "What sensor_processing does.",
            (Query(f"sum(imustream:samples:rate1m{{{_PROCESSING}}})"),),
            "cps",
            "number",
            4,
        ),
        Panel(
            "Live sensors",
            "Sensors with a frame within the last ten ticks.",
            (Query('sum(imustream_sensors{state="live"})'),),
            kind="number",
            width=4,
        ),
        Panel(
            "Seen within, p99",
            "From the bridge's reception to a WebSocket client, 99 % of records; while somebody "
            "watches.",
            (Query('max(imustream:latency_seconds:p99_1m{stage="websocket"})'),),
            "s",
            "number",
            4,
            0.1,
        ),
        Panel(
            "Behind",
            "Records that the pipelines have yet to do, the archive's left out: it gathers.",
            (Query('sum(imustream:lag_records:sum{pipeline!="archive"})'),),
            kind="number",
            width=4,
            worry=1_000,
        ),
        Panel(
            "Slots missing",
            "Slots that the control records want and that do not run.",
            (
                Query(
                    'sum(imustream_slots{state="desired"}) - sum(imustream_slots{state="running"})'
                ),
            ),
            kind="number",
            width=4,
            worry=1,
        ),
    ),
)

_LOSSES: Final = Row(
    "Losses at each arrow: all 0",
    (
        Panel(
            "MQTT -> bridge",
            "PUBLISH messages that the broker dropped, for all of its clients: a queue was full.",
            (Query(or_none('sum(imustream_mqtt_messages_total{what="dropped"})')),),
            kind="number",
            width=4,
            worry=1,
        ),
        Panel(
            "bridge -> Kafka",
            "Received, and neither in Kafka nor refused nor left to the broker nor on the way.",
            (Query("sum(imustream:bridge_unaccounted:sum)"),),
            kind="number",
            width=4,
            worry=1,
        ),
        Panel(
            "in the pipelines",
            "What went in and came out in no way (lost) or twice (doubled), by their own ledgers.",
            (Query("sum(imustream_unbalanced_records)"),),
            kind="number",
            width=4,
            worry=1,
        ),
        Panel(
            "dead letters, 1 h",
            "Records quarantined in the last hour: not lost, `imustream redrive` sends them again.",
            (Query(or_none("sum(increase(imustream_dead_letters_total[1h]))")),),
            kind="number",
            width=4,
        ),
        Panel(
            "Kafka -> live",
            "Messages dropped because a client read too slowly; it was told how many.",
            (Query(or_none("sum(increase(imustream_live_dropped_total[1h]))")),),
            kind="number",
            width=4,
        ),
        Panel(
            "Kafka -> Parquet waits",
            "How long the record that waits longest has waited for the archive.",
            (Query("max(imustream:archive_staleness_seconds:max)"),),
            "s",
            "number",
            4,
            900,
        ),
    ),
)

_ARROWS: Final = Row(
    "Rates along the way",
    (
        Panel(
            "Messages",
            "PUBLISH at the broker, received by the bridge, delivered to Kafka, done by "
            "sensor_processing. The lines lie on one another; ticks are among them.",
            (
                Query(
                    f'sum(rate(imustream_mqtt_messages_total{{what="received"}}[{RATE}]))', "mqtt"
                ),
                Query(f"sum(rate(imustream_bridge_received_total[{RATE}]))", "bridge received"),
                Query(f"sum(rate(imustream_bridge_delivered_total[{RATE}]))", "in Kafka"),
                Query(f"sum(imustream:records:rate1m{{{_PROCESSING}}})", "processed"),
            ),
            "cps",
        ),
        Panel(
            "Samples",
            "By pipeline. ml-inference follows sensor-processing, or lags.",
            (Query("sum by (pipeline) (imustream:samples:rate1m)", "{{pipeline}}"),),
            "cps",
        ),
        Panel(
            "Frames, by what became of them",
            "frames = transformed + duplicates + heartbeats + dead letters.",
            (Query(f"sum by (fate) (rate(imustream_frames_total[{RATE}]))", "{{fate}}"),),
            "cps",
            stack=True,
        ),
        Panel(
            "Latency, p99",
            "Since the bridge received a frame, until it was in Kafka, its samples committed, its "
            "messages handed to WebSocket clients.",
            (Query("max by (stage) (imustream:latency_seconds:p99_1m)", "{{stage}}"),),
            "s",
            worry=0.1,
        ),
        Panel(
            "Lag",
            "Offsets of its input that each pipeline has yet to do. Flat and low, or a backlog "
            "that drains.",
            (Query("sum by (pipeline) (imustream:lag_records:sum)", "{{pipeline}}"),),
        ),
        Panel(
            "Into Parquet",
            "Rows that the archive has written.",
            (Query(f"sum by (topic) (rate(imustream_archived_rows_total[{RATE}]))", "{{topic}}"),),
            "cps",
        ),
    ),
)

BOARD: Final = Board(
    "imustream-overview",
    "imustream: overview",
    "From MQTT to Parquet: what flows, how late it is, and what is lost at each arrow.",
    (_NOW, _LOSSES, _ARROWS),
)

"""The fleet: who sends, what is missing, late or doubled, and who should send and does not."""

from typing import Final

from cluster.monitoring.dashboards.board import RATE, Board, Panel, Query, Row, or_none

_FLEET: Final = Row(
    "Fleet",
    (
        Panel(
            "Sensors",
            "Live: a frame within the last ten ticks. Silent: known and without one.",
            (Query("sum by (state) (imustream_sensors)", "{{state}}"),),
            stack=True,
        ),
        Panel(
            "Samples a second and live sensor",
            "200 unless another rate is set; less where frames are missing.",
            (
                Query(
                    'sum(imustream:samples:rate1m{pipeline="sensor-processing"}) '
                    '/ sum(imustream_sensors{state="live"})'
                ),
            ),
            "cps",
        ),
        Panel(
            "MQTT clients",
            "As the broker counts them; the bridge and the api are among them.",
            (Query("sum by (state) (imustream_mqtt_clients)", "{{state}}"),),
        ),
    ),
)

_QUALITY: Final = Row(
    "What their data lack",
    (
        Panel(
            "Missing samples",
            "Numbers skipped when later ones came, and those of them that came after all.",
            (
                Query(f"sum(rate(imustream_gap_samples_total[{RATE}]))", "missing"),
                Query(f"sum(rate(imustream_gap_samples_filled_total[{RATE}]))", "came later"),
            ),
            "cps",
        ),
        Panel(
            "Duplicates and late samples",
            "Duplicates are recognised and not emitted again. Late ones came after their window.",
            (
                Query(f"sum(rate(imustream_duplicate_samples_total[{RATE}]))", "duplicates"),
                Query(f"sum(rate(imustream_late_samples_total[{RATE}]))", "late"),
            ),
            "cps",
        ),
        Panel(
            "Refused frames",
            "Dead letters of sensor-processing and of the bridge, by reason.",
            (
                Query(
                    or_none(
                        "sum by (reason) (rate(imustream_dead_letters_total"
                        '{pipeline=~"bridge|sensor-processing"}[5m]))'
                    ),
                    "{{reason}}",
                ),
            ),
            "cps",
            stack=True,
        ),
    ),
)

_WATCHED: Final = Row(
    "Sensors that should send (label monitored=true)",
    (
        Panel(
            "Silent for",
            "Since the last frame of each; `imustream trace SENSOR --latest` waits for its next.",
            (
                Query(
                    "time() - max by (sensor_id) (imustream_sensor_last_seen_timestamp_seconds)",
                    "{{sensor_id}}",
                ),
            ),
            "s",
            width=16,
            worry=300,
        ),
        Panel(
            "Not watched",
            "Sensors labelled `monitored` beyond the setting metrics.max_monitored.",
            (Query("max(imustream_monitored_sensors_left_out)"),),
            kind="number",
            worry=1,
        ),
    ),
)

BOARD: Final = Board(
    "imustream-devices",
    "imustream: devices",
    "Who sends, and what of it is missing, late, doubled or refused.",
    (_FLEET, _QUALITY, _WATCHED),
)

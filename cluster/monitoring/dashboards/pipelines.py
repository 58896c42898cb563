"""How each pipeline does: rate, lag, transactions, watermarks, slots, dead letters."""

from typing import Final

from cluster.monitoring.dashboards.board import RATE, Board, Panel, Query, Row, or_none

_CHOSEN = 'pipeline=~"$pipeline"'


def _quantile(share: float) -> str:
    buckets = f"imustream_transaction_duration_seconds_bucket{{{_CHOSEN}}}[{RATE}]"
    return f"histogram_quantile({share}, sum by (pipeline, le) (rate({buckets})))"


_WORK: Final = Row(
    "Work",
    (
        Panel(
            "Records",
            "Records done, by the committed ledgers and marks: each counts once.",
            (
                Query(
                    f"sum by (pipeline) (rate(imustream_records_total{{{_CHOSEN}}}[{RATE}]))",
                    "{{pipeline}}",
                ),
            ),
            "cps",
        ),
        Panel(
            "Lag by partition",
            "Offsets that wait. One partition alone: its slot is gone, or a sensor floods it.",
            (
                Query(
                    f"sum by (pipeline, partition) (imustream_lag_records{{{_CHOSEN}}})",
                    "{{pipeline}} {{partition}}",
                ),
            ),
        ),
        Panel(
            "Payload taken in",
            "Bytes of input; a turn that failed is counted again.",
            (
                Query(
                    f"sum by (pipeline) (rate(imustream_input_bytes_total{{{_CHOSEN}}}[{RATE}]))",
                    "{{pipeline}}",
                ),
            ),
            "Bps",
        ),
    ),
)

_COMMITS: Final = Row(
    "Transactions",
    (
        Panel(
            "Transaction time",
            "From a transaction's beginning to its commit. It grows with the brokers' load.",
            (
                Query(_quantile(0.5), "{{pipeline}} p50"),
                Query(_quantile(0.99), "{{pipeline}} p99"),
            ),
            "s",
        ),
        Panel(
            "Since the last commit",
            "By slot; a tick each second is something to commit, so this stays at seconds. The "
            "archive commits what it has written, minutes apart.",
            (
                Query(
                    "time() - max by (pipeline, slot) "
                    f"(imustream_last_commit_timestamp_seconds{{{_CHOSEN}}})",
                    "{{pipeline}} {{slot}}",
                ),
            ),
            "s",
        ),
        Panel(
            "Starts and failures of slots, 10 min",
            "A run ends with a failure and the next begins where the last commit was.",
            (
                Query(
                    f"sum by (pipeline) (increase(imustream_slot_starts_total{{{_CHOSEN}}}[10m]))",
                    "{{pipeline}} starts",
                ),
                Query(
                    or_none(
                        "sum by (pipeline) "
                        f"(increase(imustream_commit_failures_total{{{_CHOSEN}}}[10m]))"
                    ),
                    "{{pipeline}} failures",
                ),
            ),
        ),
    ),
)

_STATE: Final = Row(
    "State",
    (
        Panel(
            "Watermark delay",
            "Since the newest record committed of each partition was received: the slowest.",
            (
                Query(
                    f"max by (pipeline) (imustream:watermark_delay_seconds:max{{{_CHOSEN}}})",
                    "{{pipeline}}",
                ),
            ),
            "s",
            worry=60,
        ),
        Panel(
            "Slots",
            "Wanted by the control records, and running.",
            (
                Query(
                    f"max by (pipeline, state) (imustream_slots{{{_CHOSEN}}})",
                    "{{pipeline}} {{state}}",
                ),
            ),
        ),
        Panel(
            "Dead letters",
            "Quarantined records by reason, one 5 minutes' rate.",
            (
                Query(
                    or_none("sum by (pipeline, reason) (rate(imustream_dead_letters_total[5m]))"),
                    "{{pipeline}} {{reason}}",
                ),
            ),
            "cps",
            stack=True,
        ),
        Panel(
            "Paused",
            "1: somebody paused it; `imustream resume PIPELINE` lets it go on.",
            (Query(f"max by (pipeline) (imustream_paused{{{_CHOSEN}}})", "{{pipeline}}"),),
            kind="number",
            width=12,
            worry=1,
        ),
        Panel(
            "Alarms",
            "Alarms that slots raise; `imustream status` says what.",
            (Query(f"max by (pipeline) (imustream_alarms{{{_CHOSEN}}})", "{{pipeline}}"),),
            kind="number",
            width=12,
            worry=1,
        ),
    ),
)

BOARD: Final = Board(
    "imustream-pipelines",
    "imustream: pipelines",
    "Each pipeline's rate, lag, transactions, watermarks and slots.",
    (_WORK, _COMMITS, _STATE),
    (("pipeline", "imustream_slots"),),
)

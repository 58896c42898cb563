"""The model in the stream and behind HTTP: rate, batches, time, versions, replicas."""

from typing import Final

from cluster.monitoring.dashboards.board import RATE, Board, Panel, Query, Row

_CHOSEN = 'model=~"$model"'


def _quantile(share: float) -> str:
    buckets = f"imustream_inference_duration_seconds_bucket{{{_CHOSEN}}}[{RATE}]"
    return f"histogram_quantile({share}, sum by (model, version, le) (rate({buckets})))"


_RUNS: Final = Row(
    "onnxruntime",
    (
        Panel(
            "Sequences",
            "Sequences run, by model and version: a promotion shows as one line that follows "
            "another.",
            (
                Query(
                    "sum by (model, version) "
                    f"(rate(imustream_inference_sequences_total{{{_CHOSEN}}}[{RATE}]))",
                    "{{model}} {{version}}",
                ),
            ),
            "cps",
        ),
        Panel(
            "Sequences a batch",
            "How many were run together on average. Larger batches are cheaper a sequence.",
            (
                Query(
                    "sum by (model, version) "
                    f"(rate(imustream_inference_batch_size_sum{{{_CHOSEN}}}[{RATE}])) "
                    "/ sum by (model, version) "
                    f"(rate(imustream_inference_batch_size_count{{{_CHOSEN}}}[{RATE}]))",
                    "{{model}} {{version}}",
                ),
            ),
        ),
        Panel(
            "Time of a run",
            "Of all sequences of a batch together.",
            (
                Query(_quantile(0.5), "{{model}} {{version}} p50"),
                Query(_quantile(0.99), "{{model}} {{version}} p99"),
            ),
            "s",
        ),
    ),
)

_STREAM: Final = Row(
    "In the stream",
    (
        Panel(
            "Samples, by what became of them",
            "Skipped came after their successors or of an earlier boot; not_a_number is in the "
            "dead letters.",
            (
                Query(
                    f"sum by (fate) (rate(imustream_predicted_samples_total[{RATE}]))", "{{fate}}"
                ),
            ),
            "cps",
            stack=True,
        ),
        Panel(
            "Lag of ml-inference",
            "Records of transformed samples that it has yet to do.",
            (Query('sum(imustream:lag_records:sum{pipeline="ml-inference"})'),),
        ),
        Panel(
            "Busy",
            "Share of a second that runs took, all replicas together; near their number they "
            "are the bottleneck.",
            (
                Query(
                    "sum by (model) "
                    f"(rate(imustream_inference_duration_seconds_sum{{{_CHOSEN}}}[{RATE}]))",
                    "{{model}}",
                ),
            ),
        ),
    ),
)

BOARD: Final = Board(
    "imustream-inference",
    "imustream: inference",
    "Models by version: how much they run, in what batches, how long it takes.",
    (_RUNS, _STREAM),
    (("model", "imustream_inference_sequences_total"),),
)

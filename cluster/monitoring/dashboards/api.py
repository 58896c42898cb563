"""What clients see: HTTP by route, and the WebSocket streams."""

from typing import Final

from cluster.monitoring.dashboards.board import RATE, Board, Panel, Query, Row, or_none

_CHOSEN = 'application=~"$application"'
_BUCKETS = "imustream_http_request_duration_seconds_bucket"


def _quantile(share: float, by: str) -> str:
    return f"histogram_quantile({share}, sum by ({by}, le) (rate({_BUCKETS}{{{_CHOSEN}}}[{RATE}])))"


_HTTP: Final = Row(
    "HTTP",
    (
        Panel(
            "Requests",
            "By route, as its template.",
            (
                Query(
                    "sum by (application, route) "
                    f"(rate(imustream_http_requests_total{{{_CHOSEN}}}[{RATE}]))",
                    "{{application}} {{route}}",
                ),
            ),
            "reqps",
        ),
        Panel(
            "Answers, by status",
            "429: a client asks too often. 503: too many at once. 5xx besides: look at the log "
            "under the answer's X-Request-Id.",
            (
                Query(
                    f"sum by (status) (rate(imustream_http_requests_total{{{_CHOSEN}}}[{RATE}]))",
                    "{{status}}",
                ),
            ),
            "reqps",
            stack=True,
        ),
        Panel(
            "Share of errors",
            "Answers of 500 and above, of all.",
            (
                Query(
                    or_none(
                        f'(sum(rate(imustream_http_requests_total{{{_CHOSEN},status=~"5.."}}[{RATE}]))'
                        f" / sum(rate(imustream_http_requests_total{{{_CHOSEN}}}[{RATE}])))"
                    )
                ),
            ),
            "percentunit",
            worry=0.01,
        ),
        Panel(
            "Time of an answer",
            "Of all routes of an application.",
            (
                Query(_quantile(0.5, "application"), "{{application}} p50"),
                Query(_quantile(0.99, "application"), "{{application}} p99"),
            ),
            "s",
            width=12,
        ),
        Panel(
            "Time of an answer, by route, p99",
            "Questions about recorded samples are the slow ones by nature.",
            (Query(_quantile(0.99, "application, route"), "{{application}} {{route}}"),),
            "s",
            width=12,
        ),
    ),
)

_LIVE: Final = Row(
    "WebSockets",
    (
        Panel(
            "Clients",
            "Connected now; live.max_clients for each replica.",
            (Query("sum(imustream_live_clients)"),),
        ),
        Panel(
            "Messages",
            "Sent, and dropped because a client read too slowly.",
            (
                Query(f"sum(rate(imustream_live_messages_total[{RATE}]))", "sent"),
                Query(or_none(f"sum(rate(imustream_live_dropped_total[{RATE}]))"), "dropped"),
            ),
            "cps",
        ),
        Panel(
            "Latency to the client",
            "From the bridge's reception until a record's messages were handed to the clients.",
            (
                Query(
                    "histogram_quantile(0.5, sum by (le) "
                    f'(rate(imustream_latency_seconds_bucket{{stage="websocket"}}[{RATE}])))',
                    "p50",
                ),
                Query('max(imustream:latency_seconds:p99_1m{stage="websocket"})', "p99"),
            ),
            "s",
            worry=0.1,
        ),
    ),
)

BOARD: Final = Board(
    "imustream-api",
    "imustream: api and live",
    "HTTP by route and status, WebSocket clients, messages and their latency.",
    (_HTTP, _LIVE),
    (("application", "imustream_http_requests_total"),),
)

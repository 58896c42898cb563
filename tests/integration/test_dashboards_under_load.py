"""Every panel's query against the real Prometheus of a stack under load: none is empty."""

import asyncio
import time

import pytest

from cluster.monitoring.dashboards.board import RATE
from cluster.monitoring.dashboards.catalogue import BOARDS
from pipelines.settings import Settings
from serve.label_store import COLLECTION, LabelStore
from serve.mongo import mongo_client
from tests.integration.serve_clients import Listener, http, websocket
from tests.monitoring import Prometheus, fleet, monitored_stack

pytestmark = pytest.mark.slow

SENSOR = "shown-1"
FAULTS = ("--bad-crc", "0.02", "--duplicates", "0.02", "--lost", "0.02", "--reorder", "0.02")
WITHIN_S = 180.0


def _queries() -> dict[str, str]:
    """Each query by the panel it is of, as Grafana sends it."""
    found = {}
    for board in BOARDS:
        for panel in board.panels():
            for number, query in enumerate(panel.queries):
                expression = query.expr.replace(RATE, "1m")
                for label, _ in board.variables:
                    expression = expression.replace(f"${label}", ".*")
                found[f"{board.uid}: {panel.title} [{number}]"] = expression
    return found


async def _monitor(settings: Settings) -> None:
    """Say that the sensor should send."""
    mongo = mongo_client(settings)
    store = LabelStore(mongo[settings.mongo.database][COLLECTION])
    await store.change(SENSOR, {"monitored": "true"}, lambda _: None)
    await mongo.close()


def test_no_panel_is_empty_under_load() -> None:
    with (
        monitored_stack(archive={"max_staleness_s": 1.0}) as stack,
        fleet(stack.settings, "--sensors", "20", "--sensor-prefix", "shown-", *FAULTS),
        websocket(stack.settings, "transformed", SENSOR) as shown,
        http(stack.settings) as client,
    ):
        Listener(shown)
        asyncio.run(_monitor(stack.settings))
        prometheus = Prometheus(stack.settings)
        empty = _queries()
        deadline_s = time.monotonic() + WITHIN_S
        while empty and time.monotonic() < deadline_s:
            client.get(f"/api/v1/sensors/{SENSOR}")
            empty = {
                panel: expression
                for panel, expression in empty.items()
                # NaN is what a division by nothing comes to: an empty panel too.
                if not any(one["value"][1] != "NaN" for one in prometheus.query(expression))
            }
            time.sleep(1.0)
        assert not empty
        left = prometheus.value("imustream:bridge_unaccounted:sum")
        assert left == 0
        assert prometheus.value("sum(imustream_unbalanced_records)") == 0

"""The whole stack runs with the rights of the KafkaUsers alone, and Kafka refuses it nothing."""

from pathlib import Path

import httpx

from cluster.chaos.load import load
from pipelines.control import change_control
from pipelines.generation import wait_for_generation
from tests.cluster.secured_stack import SecuredStack
from tests.integration.serve_clients import http, noted, websocket
from tests.integration.topic_reader import wait_until

PATIENCE_S = 90.0
STREAMS = ("raw", "transformed", "aggregated", "predictions", "sessions")
PIPELINE = "sensor-processing"


def pause_and_resume(api: httpx.Client) -> None:
    """Ask for both."""
    for what in ("pause", "resume"):
        api.post(f"/api/v1/pipelines/{PIPELINE}/{what}").raise_for_status()


def redrive(api: httpx.Client) -> None:
    """Redrive what there is of bad checksums."""
    wanted = {"reason": "crc_mismatch"}

    def refused() -> bool:
        return bool(api.get("/api/v1/dead-letters", params=wanted).json()["dead_letters"])

    wait_until("a dead letter", refused)
    answer = api.post("/api/v1/dead-letters/redrive", json=wanted)
    answer.raise_for_status()
    assert answer.json()["requested"] > 0, answer.json()


def test_all_that_runs_is_granted_and_no_more_is_asked(
    secured: SecuredStack, tmp_path: Path
) -> None:
    settings = secured.stack.settings
    with load(secured.stack, "s", tmp_path) as fleet:
        for stream in STREAMS:
            with websocket(settings, stream, "s-1") as live:
                assert "columns" in noted(live), stream
        change_control(secured.kafka("api"), PIPELINE, slots=2)
        wait_for_generation(secured.settings("processors"), PIPELINE, PATIENCE_S, lambda _: None)
        with http(settings) as api:
            pause_and_resume(api)
            redrive(api)
            for path in ("sensors", "flow", "pipelines", "dead-letters", "sensors/s-1"):
                api.get(f"/api/v1/{path}").raise_for_status()
            assert api.get("/health/ready").json()["parts"]["kafka"]["ready"]
        result = fleet.prove()
    assert result.ok, result.differences[:5]
    assert sum(row.redriven for row in result.partitions) > 0
    assert secured.refusals() == set()

"""The matrix of faults: what is struck, and what that is in words."""

from typing import NamedTuple

from cluster.chaos.strikes import Strike, kill, rescale, take_away, take_serve_away

OUTAGE_S = 20.0
MOSQUITTO_OUTAGE_S = 3.0
"""Mosquitto is away only as long as a restart takes: the fleet itself bears no more."""

SENSORS, SESSIONS = "sensor-processing", "session-aggregation"
MODELS, WRITER, ARCHIVE = "ml-inference", "session-writer", "archive"
PIPELINES = (SENSORS, SESSIONS, MODELS, WRITER, ARCHIVE)


class Case(NamedTuple):
    """Strikes one after the other, under load, and what they are in words."""

    what: str
    strikes: tuple[Strike, ...]


def _slots_of(pipeline: str) -> Strike:
    return kill(f"Processor-{pipeline}", pipeline)


CASES: dict[str, Case] = {
    "bridge": Case("SIGKILL of the bridge, twice", (kill("Bridge", SENSORS),) * 2),
    **{
        pipeline: Case(f"SIGKILL of every slot of {pipeline}, twice", (_slots_of(pipeline),) * 2)
        for pipeline in PIPELINES
    },
    "supervisor": Case(
        "SIGKILL of the supervisor, in the middle of a rescale too",
        (kill("Supervisor", SENSORS), rescale(SENSORS, 2), kill("Supervisor", SENSORS)),
    ),
    "replica": Case(
        "SIGKILL of every replica that runs models, twice",
        (kill("ServeReplica:inference", MODELS),) * 2,
    ),
    "rescale": Case(
        "rescale of sensor-processing 3-1-2 and of ml-inference 2-1",
        (
            rescale(SENSORS, 3),
            rescale(MODELS, 2),
            rescale(SENSORS, 1),
            rescale(MODELS, 1),
            rescale(SENSORS, 2),
        ),
    ),
    "mosquitto": Case(
        f"Mosquitto restarted, {MOSQUITTO_OUTAGE_S:g} s away",
        (take_away("mosquitto", MOSQUITTO_OUTAGE_S, SENSORS),),
    ),
    # Not in good order: RELIABILITY.md says what an only broker may do then.
    "kafka": Case(
        f"SIGKILL of Kafka, {OUTAGE_S:g} s away",
        (take_away("kafka", OUTAGE_S, SENSORS, killed=True),),
    ),
    "mongodb": Case(
        f"MongoDB away for {OUTAGE_S:g} s", (take_away("documentdb", OUTAGE_S, WRITER),)
    ),
    "s3": Case(f"S3 away for {OUTAGE_S:g} s", (take_away("s3", OUTAGE_S, ARCHIVE),)),
    "serve": Case(f"Serve's models away for {OUTAGE_S:g} s", (take_serve_away(OUTAGE_S),)),
}

EVERYTHING = Case(
    "SIGKILL of every process of ours, one after the other",
    (
        kill("Bridge", SENSORS),
        *(_slots_of(pipeline) for pipeline in PIPELINES),
        kill("ServeReplica:inference", MODELS),
        kill("Supervisor", SENSORS),
    ),
)
"""The short form that the test suite runs."""

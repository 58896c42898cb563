"""Which parts are ready: each asked for itself, with a bound on how long, all at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import paho.mqtt.client as mqtt
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from pydantic import BaseModel, ConfigDict, Field
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from pipelines import topics
from pipelines.errors import ImustreamError
from pipelines.kafka_clients import LOGGER, client_options, reason
from pipelines.mqtt_access import MqttUser, let_in
from pipelines.settings import KafkaSettings, MqttSettings
from serve.pipelines_report import PipelineReport

_TIMEOUT_S = 3.0
_MQTT_LOOP_S = 0.1


class PartHealth(BaseModel):
    """Whether one part is ready, and in words why or why not."""

    ready: bool
    detail: str


class Readiness(BaseModel):
    """Whether every part is ready."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"ready": True, "parts": {"kafka": {"ready": True, "detail": "1 brokers"}}}
            ]
        }
    )

    ready: bool
    parts: dict[str, PartHealth] = Field(description="By name: kafka, mongodb, mqtt, and ours.")


Check = Callable[[], Awaitable[PartHealth]]


async def readiness(checks: Mapping[str, Check]) -> Readiness:
    """Ask all parts at once; one that does not answer in 3 s is not ready."""
    answers = await asyncio.gather(*[_ask(check) for check in checks.values()])
    parts = dict(zip(checks, answers, strict=True))
    return Readiness(ready=all(part.ready for part in answers), parts=parts)


async def _ask(check: Check) -> PartHealth:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await check()
    except TimeoutError:
        return PartHealth(ready=False, detail=f"no answer in {_TIMEOUT_S:.0f} s")
    except ImustreamError as error:
        return PartHealth(ready=False, detail=str(error))


@dataclass
class KafkaCheck:
    """Whether the brokers answer and have our topics."""

    settings: KafkaSettings

    def __post_init__(self) -> None:
        self._admin = AdminClient(client_options(self.settings, "imustream-health"), logger=LOGGER)

    async def __call__(self) -> PartHealth:
        """Ask the brokers."""
        return await asyncio.to_thread(self._ask)

    def _ask(self) -> PartHealth:
        try:
            metadata = self._admin.list_topics(timeout=_TIMEOUT_S - 0.5)
        except KafkaException as error:
            where = self.settings.bootstrap_servers
            return PartHealth(ready=False, detail=f"{where} does not answer: {reason(error)}")
        missing = [topic.name for topic in topics.TOPICS if topic.name not in metadata.topics]
        if missing:
            return PartHealth(ready=False, detail=f"topics are missing: {', '.join(missing)}")
        return PartHealth(ready=True, detail=f"{len(metadata.brokers)} brokers")


@dataclass
class MongoCheck:
    """Whether the document database answers."""

    client: AsyncMongoClient[dict[str, object]]

    async def __call__(self) -> PartHealth:
        """Ask it."""
        try:
            await self.client.admin.command("ping")
        except PyMongoError as error:
            return PartHealth(ready=False, detail=str(error).partition(",")[0])
        return PartHealth(ready=True, detail="answers")


@dataclass
class MqttCheck:
    """Whether the MQTT broker lets us in."""

    settings: MqttSettings

    async def __call__(self) -> PartHealth:
        """Connect to it and go."""
        return await asyncio.to_thread(self._ask)

    def _ask(self) -> PartHealth:
        settings = self.settings
        answers: list[ReasonCode] = []

        def connected(
            _: mqtt.Client, __: object, ___: mqtt.ConnectFlags, code: ReasonCode, ____: Properties
        ) -> None:
            answers.append(code)

        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        client.connect_timeout = _TIMEOUT_S - 1.0
        client.on_connect = connected  # type: ignore[assignment]
        let_in(client, settings, MqttUser.API)
        where = f"{settings.host}:{settings.port}"
        deadline_s = time.monotonic() + _TIMEOUT_S - 0.5
        try:
            client.connect(settings.host, settings.port)
            while not answers and time.monotonic() < deadline_s:
                if client.loop(_MQTT_LOOP_S) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    break
        except OSError as error:
            return PartHealth(ready=False, detail=f"{where} does not answer: {error.strerror}")
        finally:
            client.disconnect()
        if not answers:
            return PartHealth(ready=False, detail=f"{where} takes no connection")
        if answers[0].is_failure:
            return PartHealth(ready=False, detail=f"{where} refuses us: {answers[0]}")
        return PartHealth(ready=True, detail="answers")


def pipeline_health(report: PipelineReport) -> PartHealth:
    """Return whether a pipeline is at work."""
    if report.state == "running":
        return PartHealth(ready=True, detail=f"{report.running_slots} slots, lag {report.lag}")
    detail = report.state if report.alarm is None else f"{report.state}: {report.alarm}"
    return PartHealth(ready=False, detail=detail)

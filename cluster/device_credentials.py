"""Each device's credential, kept by the broker: asked and changed over MQTT while it runs.

This speaks to Mosquitto's dynamic security plugin (``$CONTROL/dynamic-security/v1``, described in
Mosquitto's documentation): what changes holds at once, and who lost its right is cut off.
"""

import json
import secrets
import threading
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from cluster.local.mqtt_rights import DEVICE_ROLE, device_rights
from cluster.local.mqtt_users import RESERVED_PREFIX
from pipelines.errors import ConflictError, DataError, NotFoundError, UnavailableError
from pipelines.mqtt_access import MqttUser, let_in
from pipelines.sensor_topic import sensor_id_fault
from pipelines.settings import MqttSettings

_TOPIC: Final = "$CONTROL/dynamic-security/v1"
_ANSWER_S: Final = 5.0
_PASSWORD_BYTES: Final = 24
_PAGE: Final = 1_000


class Device(NamedTuple):
    """A device that may connect."""

    sensor_id: str
    disabled: bool


class DeviceCredentials:
    """A connection to the broker as its administrator; use it as a context."""

    def __init__(self, settings: MqttSettings) -> None:
        self._settings = settings
        self._answered = threading.Event()
        self._answers: dict[str, dict[str, Any]] = {}
        self._awaited: set[str] = set()
        self._ready = threading.Event()
        self._refused: str | None = None
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        let_in(self._client, settings, MqttUser.ADMIN)

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            UnavailableError: the broker is away, or does not let an administrator in.
        """
        where = f"the MQTT broker at {self._settings.host}:{self._settings.port}"
        if self._settings.admin_username is None:
            raise UnavailableError(
                f"{where} keeps no credentials that we know how to change: "
                "it lets anyone in (local.mqtt_anonymous), or mqtt.admin_username is not set"
            )
        try:
            self._client.connect(self._settings.host, self._settings.port)
        except OSError as error:
            raise UnavailableError(
                f"{where} does not answer ({error.strerror or error}): start it (`imustream up`)"
            ) from None
        self._client.loop_start()
        if not self._ready.wait(_ANSWER_S) or self._refused is not None:
            self._client.loop_stop()
            raise UnavailableError(
                f"{where} does not let us change credentials: {self._refused or 'no answer'}; "
                "check mqtt.admin_username and mqtt.admin_password"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def add(self, sensor_id: str) -> str:
        """Let a device in, and return its password, which is kept nowhere in clear.

        Raises:
            DataError: this can be no device's name.
            ConflictError: it is in already.
            UnavailableError: the broker does not answer.
        """
        fault = sensor_id_fault(sensor_id)
        if fault is None and sensor_id.startswith(RESERVED_PREFIX):
            fault = f"begins with {RESERVED_PREFIX}, as only our own users do"
        if fault is not None:
            raise DataError(f"{sensor_id!r} can be no device: it {fault}")
        if sensor_id in {device.sensor_id for device in self.devices()}:
            raise ConflictError(
                f"{sensor_id!r} is in already: `imustream devices rotate` gives it a new password"
            )
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        role = DEVICE_ROLE + sensor_id
        self._ask(
            [
                {"command": "createRole", "rolename": role, "acls": device_rights(sensor_id)},
                {
                    "command": "createClient",
                    "username": sensor_id,
                    "password": password,
                    "roles": [{"rolename": role}],
                },
            ]
        )
        return password

    def rotate(self, sensor_id: str) -> str:
        """Give a device a new password and return it; who is in with the old one is cut off.

        Raises:
            NotFoundError: there is no such device.
            UnavailableError: the broker does not answer.
        """
        self._require(sensor_id)
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        self._ask(
            [
                {"command": "disableClient", "username": sensor_id},
                {"command": "setClientPassword", "username": sensor_id, "password": password},
                {"command": "enableClient", "username": sensor_id},
            ]
        )
        return password

    def revoke(self, sensor_id: str) -> None:
        """Cut a device off, for good.

        Raises:
            NotFoundError: there is no such device.
            UnavailableError: the broker does not answer.
        """
        self._require(sensor_id)
        self._ask(
            [
                {"command": "deleteClient", "username": sensor_id},
                {"command": "deleteRole", "rolename": DEVICE_ROLE + sensor_id},
            ]
        )

    def devices(self) -> list[Device]:
        """Return every device that may connect, by name.

        Raises:
            UnavailableError: the broker does not answer.
        """
        found: list[Device] = []
        offset = 0
        while True:
            (answer,) = self._ask(
                [{"command": "listClients", "verbose": True, "count": _PAGE, "offset": offset}]
            )
            clients = answer["data"]["clients"]
            found += [
                Device(client["username"], bool(client.get("disabled", False)))
                for client in clients
                if any(role["rolename"].startswith(DEVICE_ROLE) for role in client["roles"])
            ]
            offset += len(clients)
            if not clients or offset >= answer["data"]["totalCount"]:
                return sorted(found)

    def _require(self, sensor_id: str) -> None:
        if sensor_id not in {device.sensor_id for device in self.devices()}:
            raise NotFoundError(
                f"there is no device {sensor_id!r}: `imustream devices list` shows all"
            )

    def _ask(self, commands: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Send commands together and return the answers in their order."""
        ids = [uuid.uuid4().hex for _ in commands]
        self._answered.clear()
        self._answers, self._awaited = {}, set(ids)
        marked = [{**one, "correlationData": id_} for one, id_ in zip(commands, ids, strict=True)]
        self._client.publish(_TOPIC, json.dumps({"commands": marked}), qos=1)
        if not self._answered.wait(_ANSWER_S):
            raise UnavailableError(f"the MQTT broker did not answer in {_ANSWER_S:.0f} s")
        answers = [self._answers[id_] for id_ in ids]
        failed = [answer for answer in answers if "error" in answer]
        if failed:
            raise UnavailableError(
                f"the MQTT broker did not do {failed[0]['command']}: {failed[0]['error']}"
            )
        return answers

    def _on_connect(self, client: mqtt.Client, *details: Any) -> None:
        reason = details[2]
        if reason.is_failure:
            self._refused = str(reason)
            self._ready.set()
        else:
            client.subscribe(f"{_TOPIC}/response", qos=1)

    def _on_subscribe(self, *details: Any) -> None:
        reasons = details[3]
        if reasons[0].is_failure:
            self._refused = str(reasons[0])
        self._ready.set()

    def _on_message(self, _: mqtt.Client, __: Any, message: mqtt.MQTTMessage) -> None:
        for answer in json.loads(message.payload)["responses"]:
            id_ = answer.get("correlationData")
            if id_ in self._awaited:  # others may ask at the same time
                self._answers[id_] = answer
        if self._awaited <= set(self._answers):
            self._answered.set()

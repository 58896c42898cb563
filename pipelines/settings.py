"""Every setting of imustream, with its default and what it means.

A value comes from, first found first taken: the environment (as in
``IMUSTREAM_KAFKA__BOOTSTRAP_SERVERS``), a TOML file (``IMUSTREAM_CONFIG``, or ``imustream.toml``
in the working folder), the default here. A secret may also stand in a file, as container
platforms mount them: ``IMUSTREAM_KAFKA__PASSWORD_FILE`` names the file of ``kafka.password``
(:mod:`pipelines.secret_files`); it comes after the environment and before the TOML file.
``imustream settings`` prints them all.
"""

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from pipelines.errors import ConfigurationError
from pipelines.secret_files import SecretFiles, is_secret

CONFIG_FILE_VARIABLE = "IMUSTREAM_CONFIG"


class MqttSettings(BaseModel):
    """The MQTT broker that devices publish to."""

    host: str = Field("127.0.0.1", description="Host of the MQTT broker.")
    port: int = Field(1883, ge=1, le=65535, description="Port of the MQTT broker.")
    username: str | None = Field(
        None, description="The bridge's user, and of whoever has none of its own below."
    )
    password: SecretStr | None = Field(None, description="Password of that user.")
    api_username: str | None = Field(None, description="The api's user: commands and replies.")
    api_password: SecretStr | None = Field(None, description="Password of that user.")
    simulator_username: str | None = Field(None, description="User of `imustream simulate`.")
    simulator_password: SecretStr | None = Field(None, description="Password of that user.")
    monitor_username: str | None = Field(
        None, description="User of the exporter, who reads what the broker says of itself."
    )
    monitor_password: SecretStr | None = Field(None, description="Password of that user.")
    admin_username: str | None = Field(
        None, description="User of `imustream devices`, who may change who may connect."
    )
    admin_password: SecretStr | None = Field(None, description="Password of that user.")
    tls_ca_file: Path | None = Field(None, description="CA certificates; set it to speak TLS.")
    tls_certificate_file: Path | None = Field(
        None, description="Our own certificate, where the broker asks for one."
    )
    tls_key_file: Path | None = Field(None, description="The key of that certificate.")
    tls_port: int = Field(
        8883, ge=1, le=65535, description="Port where the local broker speaks TLS, for devices."
    )
    websocket_port: int = Field(
        9001, ge=1, le=65535, description="Port of MQTT over WebSockets, for phones and pages."
    )
    client_id: str = Field(
        "imustream-bridge", description="The bridge's client id; its session is kept under it."
    )
    session_expiry_s: int = Field(
        604_800, ge=60, description="How long the broker keeps the bridge's session and queue."
    )
    receive_maximum: int = Field(
        2_000, ge=1, le=65_535, description="Messages the bridge takes before it acknowledges any."
    )
    max_inflight_bytes: int = Field(
        268_435_456, ge=1_048_576, description="Bytes of those messages; beyond it reading stops."
    )
    keepalive_s: int = Field(
        30, ge=5, le=65_535, description="A connection silent for this long is tested with a ping."
    )
    max_payload_bytes: int = Field(
        262_144, ge=64, le=900_000, description="A larger payload goes to the dead letters."
    )


class KafkaSettings(BaseModel):
    """The Kafka cluster that holds every stage's records."""

    bootstrap_servers: str = Field("127.0.0.1:9092", description="Comma-separated host:port.")
    replication_factor: int = Field(1, ge=1, description="Replicas of each topic we create.")
    min_insync_replicas: int = Field(1, ge=1, description="Replicas that must have each record.")
    tls: bool = Field(False, description="Speak TLS with the brokers.")
    tls_ca_file: Path | None = Field(
        None, description="CA certificates in PEM that they are checked against, with tls."
    )
    username: str | None = Field(None, description="SASL user, where the brokers ask for one.")
    password: SecretStr | None = Field(None, description="Password of that user.")
    bridge_username: str | None = Field(
        None, description="The bridge's own SASL user, who need only write; else the one above."
    )
    bridge_password: SecretStr | None = Field(None, description="Password of that user.")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How the password is shown; PLAIN only with tls."
    )
    options: dict[str, str] = Field(
        default_factory=dict,
        description="Further librdkafka options of every client; they win.",
    )

    @field_validator("options")
    @classmethod
    def _no_password_among_options(cls, options: dict[str, str]) -> dict[str, str]:
        if "sasl.password" in options:
            raise ValueError("sasl.password is a secret: set kafka.password instead")
        return options

    @model_validator(mode="after")
    def _no_password_in_clear(self) -> "KafkaSettings":
        if self.username is not None and self.password is None:
            raise ValueError("kafka.password is needed where kafka.username is set")
        if self.bridge_username is not None and self.bridge_password is None:
            raise ValueError("kafka.bridge_password is needed where kafka.bridge_username is set")
        named = self.username is not None or self.bridge_username is not None
        if named and self.sasl_mechanism == "PLAIN" and not self.tls:
            raise ValueError(
                "kafka.sasl_mechanism PLAIN sends the password as it is: set kafka.tls"
            )
        return self


class MongoSettings(BaseModel):
    """The document database for sensors and sessions; MongoDB or what speaks its protocol."""

    uri: SecretStr = Field(
        SecretStr("mongodb://127.0.0.1:27017"),
        description="Connection string, with user, password and TLS, as in "
        "mongodb://user:password@host/?tls=true&tlsCAFile=/ca.pem.",
    )
    database: str = Field("streaming_poc", description="Name of the database.")


class ProcessingSettings(BaseModel):
    """What sensor_processing does to frames."""

    sample_rate_hz: float = Field(200.0, gt=0, le=100_000, description="Samples per second.")
    lateness_s: float = Field(2.0, ge=0, description="How late a sample may be and still count.")
    window_s: float = Field(2.0, gt=0, description="Length of the tumbling motion windows.")
    silence_ticks: int = Field(
        10, ge=2, description="Ticks (seconds) without a frame that close a sensor's windows."
    )
    max_future_s: float = Field(
        60.0, gt=0, description="A timestamp further ahead of its reception is quarantined."
    )
    forget_ticks: int = Field(
        604_800, ge=60, description="Ticks of silence after which a sensor's state is dropped."
    )
    stop_share: float = Field(
        0.5, gt=0, le=1, description="Share of active sensors failing that stops the pipeline."
    )
    stop_min_sensors: int = Field(
        5, ge=1, description="The pipeline is never stopped for fewer failing sensors than this."
    )


class SessionSettings(BaseModel):
    """When motion windows make a session."""

    gap_s: float = Field(600.0, gt=0, description="Event time without a window that ends one.")
    silence_ticks: int = Field(
        600, ge=2, description="Ticks (seconds) without a window that end a sensor's session."
    )
    update_ticks: int = Field(
        10, ge=1, description="An open session is told at most this often, in ticks (seconds)."
    )
    amend_ticks: int = Field(
        86_400, ge=1, description="How long an ended session can be amended, in ticks (seconds)."
    )
    kept_sessions: int = Field(
        16, ge=2, description="Sessions of a sensor that are kept; beyond it the oldest are done."
    )
    pending_windows: int = Field(
        64, ge=1, description="Velocity windows of a sensor that wait for their motion window."
    )


class InferenceSettings(BaseModel):
    """The model inside the stream, and the replicas that run models."""

    model: str = Field("velocity", description="The model that ml_inference runs.")
    channel: str = Field("stable", description="Its channel, where no control record says.")
    replicas: int = Field(1, ge=1, description="Replicas of the inference deployment.")
    threads: int = Field(1, ge=1, description="Threads of one onnxruntime session.")
    device: Literal["cpu", "cuda"] = Field("cpu", description="What onnxruntime runs on.")
    gpus_per_replica: float = Field(
        1.0, gt=0, description="GPUs of a replica, fractions too; used where device is cuda."
    )
    max_batch: int = Field(64, ge=1, description="Most requests of one adaptive batch.")
    batch_wait_ms: float = Field(2.0, ge=0, description="How long a batch waits to fill.")
    max_queue: int = Field(
        256, ge=1, description="HTTP requests under way at once; beyond it 503 at once."
    )
    max_queue_bytes: int = Field(
        268_435_456, ge=1024, description="Bytes of their bodies; beyond it 503 at once."
    )
    max_request_bytes: int = Field(
        67_108_864, ge=1024, description="A larger request body is refused."
    )
    max_loaded: int = Field(
        4, ge=2, description="Versions of models that a replica keeps loaded side by side."
    )
    turn_ms: int = Field(50, ge=1, le=1_000, description="How long a turn of ml_inference waits.")
    timeout_s: float = Field(30.0, gt=0, description="A call to a model that takes longer failed.")
    reset_gap_s: float = Field(
        0.5, ge=0, description="A gap of samples longer than this resets a sensor's model state."
    )
    on_nan: Literal["dead_letter", "stop"] = Field(
        "dead_letter", description="What becomes of samples that the model gives no number for."
    )
    poll_s: float = Field(2.0, gt=0, description="How often the channel's version is looked up.")


class ModelStoreSettings(BaseModel):
    """Where models are kept."""

    url: str = Field(
        "file://.state/models", description="file:///folder or s3://bucket/prefix of the models."
    )


class S3Settings(BaseModel):
    """The S3 service behind every s3:// address; unset values come as boto3 finds them."""

    endpoint_url: str | None = Field(None, description="Endpoint; none for AWS itself.")
    region: str = Field("us-east-1", description="Region.")
    access_key: str | None = Field(None, description="Access key id.")
    secret_key: SecretStr | None = Field(None, description="Secret access key.")
    ca_file: Path | None = Field(
        None, description="CA certificates that an https endpoint is checked against."
    )


class ArchiveSettings(BaseModel):
    """The Parquet archive."""

    url: str = Field(
        "file://.state/archive", description="file:///folder or s3://bucket/prefix of the archive."
    )
    max_rows: int = Field(
        1_000_000, ge=1, description="Rows of one partition of a topic after which it is written."
    )
    max_bytes: int = Field(
        67_108_864, ge=1024, description="Kafka bytes of one partition after which it is written."
    )
    max_buffer_bytes: int = Field(
        536_870_912, ge=65_536, description="Kafka bytes that wait in one slot; the largest go."
    )
    max_record_s: float = Field(
        900.0, gt=0, description="Span of the records' Kafka time after which they are written."
    )
    max_staleness_s: float = Field(
        300.0, gt=0, description="Longest a record waits, by the wall clock, to be written."
    )


class BackfillSettings(BaseModel):
    """Replays of the archive."""

    warm_up_s: float = Field(
        3_600.0, ge=0, description="Records replayed before a later start, by their reception."
    )
    chunk_bytes: int = Field(
        8_388_608, ge=1, description="Raw bytes whose rows are written together; bounds memory."
    )
    step_records: int = Field(8_192, ge=1, description="Most records an operator takes at once.")


class WriterSettings(BaseModel):
    """The session writer."""

    max_batch: int = Field(
        50, ge=1, le=50, description="Documents in one bulk write; FerretDB hangs far above it."
    )


class SlotSettings(BaseModel):
    """How a processor's loop turns."""

    slots: int = Field(1, ge=1, le=10, description="Slots of a pipeline that has no record yet.")
    cpus: float = Field(
        0.1, gt=0, description="CPUs that Ray counts for a slot; nodes are added by their sum."
    )
    turn_ms: int = Field(
        10, ge=1, le=1_000, description="How long a turn waits for records: latency against CPU."
    )
    max_records: int = Field(8_192, ge=1, description="Most records in one turn.")
    max_redrives: int = Field(
        64, ge=1, le=8_192, description="Most dead letters redriven in one turn: live data wait."
    )
    snapshot_s: float = Field(
        1.0, gt=0, description="How often changed state is written; a restart replays that much."
    )
    transaction_timeout_s: int = Field(
        30, ge=5, description="A transaction left open is aborted after this long."
    )


class LiveSettings(BaseModel):
    """The WebSocket streams."""

    queue_messages: int = Field(
        64, ge=1, description="Messages kept for a slow client; beyond it the oldest are dropped."
    )
    max_clients: int = Field(2_000, ge=1, description="WebSocket clients of one replica.")
    max_clients_per_subject: int = Field(
        1_500, ge=1, description="WebSocket clients of one log-in at one replica."
    )
    max_subscriptions: int = Field(
        100, ge=1, description="Subscriptions of one WebSocket client at /ws."
    )
    max_message_bytes: int = Field(
        16_384, ge=1_024, description="Bytes of one message from a WebSocket client."
    )
    max_messages_per_s: float = Field(
        50.0, gt=0, description="Messages a second from one WebSocket client; 10 s' worth at once."
    )
    ping_interval_s: float = Field(20.0, gt=0, description="How often a client is sent a ping.")
    ping_timeout_s: float = Field(
        20.0, gt=0, description="A client whose pong takes longer is closed with 4408."
    )
    catch_ups: int = Field(
        2, ge=1, le=32, description="Consumers that read what resuming clients missed."
    )
    catch_up_turn_s: float = Field(
        2.0, gt=0, description="How long one catches up before another in line has its turn."
    )
    position_interval_s: float = Field(
        10.0, gt=0, description="How often a subscription without messages is told its position."
    )


_RATE = r"^(|[1-9]\d{0,8}/(second|minute|hour))$"


class ServeSettings(BaseModel):
    """Where the HTTP and WebSocket applications listen."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8_000, ge=1, le=65535, description="Port of api and live.")
    max_body_bytes: int = Field(
        1_048_576, ge=1_024, description="A larger request body is refused by api."
    )
    request_timeout_s: float = Field(
        30.0, gt=0, description="A request to api that takes longer is answered with 504."
    )
    header_timeout_s: int = Field(
        10, ge=1, le=300, description="How long a client may take to send a request's head."
    )
    cors_origins: tuple[str, ...] = Field(
        (), description="Origins of other sites' pages that may ask api, with a bearer token."
    )
    trusted_proxies: tuple[str, ...] = Field(
        (),
        description="Addresses or networks of proxies before imustream whose X-Forwarded-For and "
        "X-Forwarded-Proto are believed; they must append to them or replace them.",
    )
    limit_login: str = Field(
        "30/minute", pattern=_RATE, description="Log-ins from one address; empty: no limit."
    )
    limit_read: str = Field(
        "3000/minute", pattern=_RATE, description="Questions of one client; empty: no limit."
    )
    limit_change: str = Field(
        "300/minute", pattern=_RATE, description="Changes by one client; empty: no limit."
    )
    idempotency_hours: float = Field(
        24.0, gt=0, description="How long the answer to an Idempotency-Key is kept."
    )
    idempotency_bytes: int = Field(
        262_144, ge=1_024, le=8_388_608, description="A larger answer is not kept for repeats."
    )
    audit_days: float = Field(365.0, gt=0, description="How long the audit log is kept.")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            ip_network(name)
        return names


ASYMMETRIC_ALGORITHMS = frozenset(
    {
        *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
        *("ES256", "ES384", "ES512", "EdDSA"),
    }
)
"""Algorithms whose verifier cannot sign: a public key used as an HMAC secret would let all in."""


class HistorySettings(BaseModel):
    """What an answer of the API about recorded samples may cost."""

    max_rows: int = Field(
        20_000_000, ge=1_000, description="Rows that are looked at for one answer; 28 h at 200 Hz."
    )
    timeout_s: float = Field(10.0, gt=0, description="How long one answer may be looked for.")
    max_tail_bytes: int = Field(
        134_217_728, ge=1_048_576, description="Kafka bytes read for it that are not archived yet."
    )
    at_once: int = Field(2, ge=1, description="Such answers looked for at once; others wait.")


class AuthSettings(BaseModel):
    """Who gets in: the local issuer's key, an OIDC provider, or both; the token says by whom."""

    signing_key: SecretStr | None = Field(
        None,
        description="Private Ed25519 key in PEM of the local issuer, which signs log-in links, "
        "cookies, tickets and tokens; `imustream up` makes one in the state folder.",
    )
    issuer: str = Field("imustream", min_length=1, description="The local issuer's `iss`.")
    audience: str = Field("imustream", min_length=1, description="The local issuer's `aud`.")
    cookie_hours: float = Field(12.0, gt=0, description="How long a log-in lasts.")
    max_token_hours: float = Field(
        8_784.0, gt=0, description="The longest that a token of POST /api/v1/tokens lasts."
    )
    ticket_s: float = Field(
        60.0, gt=0, le=600, description="How long a ticket waits for its WebSocket."
    )
    leeway_s: float = Field(
        30.0, ge=0, le=300, description="How far another machine's clock may be off."
    )
    oidc_issuer: str | None = Field(
        None, description="OIDC provider, as in its tokens' `iss`; https, or http on loopback."
    )
    oidc_audience: str | None = Field(
        None, description="The `aud` its tokens must have; needed where oidc_issuer is set."
    )
    oidc_algorithms: tuple[str, ...] = Field(
        ("RS256", "PS256", "ES256", "EdDSA"),
        min_length=1,
        description="Algorithms its tokens may be signed with; asymmetric ones only.",
    )
    oidc_role_claim: str = Field(
        "role",
        description="Claim with viewer, operator or admin, or a list with one of them; "
        "`a.b` also finds `b` in `a`.",
    )
    oidc_sensors_claim: str = Field(
        "sensors",
        description="Claim with the patterns of the sensors somebody sees; a token without it "
        "sees all.",
    )
    oidc_ca_file: Path | None = Field(
        None, description="CA certificates that the provider's is checked against."
    )
    oidc_refresh_s: float = Field(
        300.0, ge=1, description="How old the provider's keys get before they are asked for again."
    )
    oidc_stale_s: float = Field(
        3_600.0, ge=1, description="How old they may get while the provider does not answer."
    )
    oidc_retry_s: float = Field(
        10.0, gt=0, description="Least time between two questions to the provider."
    )
    oidc_timeout_s: float = Field(3.0, gt=0, description="How long the provider may take.")

    @field_validator("oidc_algorithms")
    @classmethod
    def _asymmetric(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := set(names) - ASYMMETRIC_ALGORITHMS:
            raise ValueError(
                f"{', '.join(sorted(wrong))} may not be used; there are "
                f"{', '.join(sorted(ASYMMETRIC_ALGORITHMS))}"
            )
        return names

    @field_validator("oidc_issuer")
    @classmethod
    def _trustworthy(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            loopback = parts.hostname in ("127.0.0.1", "localhost", "::1")
            if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
                raise ValueError("must be an https address (http only on loopback)")
        return url

    @model_validator(mode="after")
    def _with_audience(self) -> "AuthSettings":
        if self.oidc_issuer is not None and not self.oidc_audience:
            raise ValueError("oidc_audience is needed where oidc_issuer is set")
        if self.oidc_issuer == self.issuer:
            raise ValueError("issuer and oidc_issuer must differ")
        return self


class MetricsSettings(BaseModel):
    """The exporter, where Prometheus gets all metrics of a machine or a pod."""

    host: str = Field(
        "127.0.0.1", description="Address it listens on; it tells everybody who asks."
    )
    port: int = Field(9_464, ge=1, le=65_535, description="Port it listens on.")
    max_monitored: int = Field(
        200,
        ge=0,
        le=10_000,
        description="Sensors labelled `monitored` = `true` that are told of by name; of further "
        "ones only how many there are.",
    )
    certificates: tuple[Path, ...] = Field(
        (), description="Files of certificates whose end is told, beside those of other settings."
    )
    folders: tuple[Path, ...] = Field(
        (), description="Folders whose free disk is told, beside those of other settings."
    )


class RaySettings(BaseModel):
    """The Ray cluster that runs actors and Serve."""

    address: str = Field(
        "auto", description="Address of the Ray cluster; local: a backfill starts its own."
    )
    namespace: str = Field("imustream", description="Namespace of our actors.")
    dashboard_url: str = Field(
        "http://127.0.0.1:8265", description="Ray's dashboard, where its API for jobs is."
    )
    bridge_resource: str = Field(
        "", description="Resource that only the bridge's node has; empty: it runs on any."
    )


class LoggingSettings(BaseModel):
    """What our processes log to standard error."""

    format: Literal["text", "json"] = Field(
        "text", description="Lines for people, or one JSON object a line for programs."
    )
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The least that is logged; INFO tells changes of state, not records."
    )


class LocalSettings(BaseModel):
    """The one-machine stack that `imustream up` starts."""

    state_dir: Path = Field(
        Path(".state"), description="Folder of all data, logs and process files of `up`."
    )
    brokers: Annotated[Literal[1, 3], BeforeValidator(int)] = Field(
        1, description="Kafka brokers: 1, or 3 with replication."
    )
    kafka_controller_port: int = Field(
        9_192, ge=1, le=65_533, description="First port of Kafka's controllers; each has its own."
    )
    kafka_tls_port: int = Field(
        0,
        ge=0,
        le=65_533,
        description="First port where the Kafka brokers speak TLS and give each SCRAM user only "
        "what ACLs grant, as on a cluster; 0: none.",
    )
    kafka_heap_mb: int = Field(1_024, ge=256, description="Java heap of each Kafka broker, MB.")
    mqtt_anonymous: bool = Field(
        False,
        description="Whether anyone on this machine may publish as any sensor; `demo` allows it.",
    )
    mqtt_bind: str = Field(
        "127.0.0.1",
        description="Address of the MQTT listeners for devices, TLS and WebSockets; "
        "another one lets phones of the network in, each with its credential.",
    )
    s3: bool = Field(False, description="Whether `up` runs an S3 server too (`up --s3`).")
    s3_port: int = Field(7_070, ge=1, le=65535, description="Port of that S3 server.")
    ray_port: int = Field(6_390, ge=1_024, le=65_535, description="Port of the Ray head.")
    dashboard_port: int = Field(8_265, ge=1, le=65535, description="Port of the Ray dashboard.")
    proxy_port: int = Field(
        8_404, ge=1, le=65_533, description="First of three ports that the HTTP proxy keeps."
    )
    monitoring: bool = Field(
        False, description="Whether `up` runs Prometheus and its exporter (`up --monitoring`)."
    )
    prometheus_port: int = Field(9_090, ge=1, le=65_535, description="Port of that Prometheus.")
    prometheus_days: int = Field(7, ge=1, description="How long it keeps metrics, in days.")
    prometheus_rules: Path | None = Field(
        None, description="Folder with *.yaml of its rules; imustream's own where there is none."
    )
    scrape_s: int = Field(5, ge=1, le=60, description="How often it asks for them, in seconds.")
    ray_metrics_port: int = Field(
        8_085,
        ge=1,
        le=65_533,
        description="First of three ports of Ray's own metrics, with monitoring.",
    )
    ray_cpus: int = Field(
        16, ge=4, description="Logical CPUs of the Ray head; our actors take few real ones."
    )


class Settings(BaseSettings):
    """All settings. Build it with :func:`load_settings`, which turns errors into one line."""

    model_config = SettingsConfigDict(
        env_prefix="IMUSTREAM_", env_nested_delimiter="__", extra="forbid"
    )

    mqtt: MqttSettings = MqttSettings()
    kafka: KafkaSettings = KafkaSettings()
    mongo: MongoSettings = MongoSettings()
    processing: ProcessingSettings = ProcessingSettings()
    sessions: SessionSettings = SessionSettings()
    inference: InferenceSettings = InferenceSettings()
    models: ModelStoreSettings = ModelStoreSettings()
    archive: ArchiveSettings = ArchiveSettings()
    s3: S3Settings = S3Settings()
    backfill: BackfillSettings = BackfillSettings()
    writer: WriterSettings = WriterSettings()
    slot: SlotSettings = SlotSettings()
    live: LiveSettings = LiveSettings()
    serve: ServeSettings = ServeSettings()
    history: HistorySettings = HistorySettings()
    auth: AuthSettings = AuthSettings()
    metrics: MetricsSettings = MetricsSettings()
    ray: RaySettings = RaySettings()
    logging: LoggingSettings = LoggingSettings()
    local: LocalSettings = LocalSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the caller, the environment, files of secrets, then the TOML file."""
        file = Path(os.environ.get(CONFIG_FILE_VARIABLE, "imustream.toml"))
        toml = TomlConfigSettingsSource(settings_cls, file)
        return init_settings, env_settings, SecretFiles(settings_cls), toml


def _got(error: ErrorDetails) -> str:
    """What was given, where it can be no secret: one value of a setting that is none."""
    value = error.get("input")
    if not isinstance(value, str | int | float) or is_secret(Settings, error["loc"]):
        return ""
    return f" (got {value!r})"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings.

    Raises:
        ConfigurationError: a value is wrong; the message names it, where it may be set and why.
    """
    file = os.environ.get(CONFIG_FILE_VARIABLE)
    if file is not None and not Path(file).is_file():
        raise ConfigurationError(f"{CONFIG_FILE_VARIABLE} names {file}, which is no file")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"setting {path}: {first['msg']}{_got(first)}; "
            f"correct IMUSTREAM_{path.replace('.', '__').upper()} or the TOML file"
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"the settings file cannot be read: {error}") from None

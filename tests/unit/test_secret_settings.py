"""Secrets in settings: where they come from, and that nothing shows them."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from actors.bridge_loop import kafka_options
from pipelines.errors import ConfigurationError
from pipelines.kafka_clients import client_options
from pipelines.secret_files import is_secret, secret_paths
from pipelines.settings import Settings, load_settings

SECRET = "correct horse battery staple"


def test_every_secret_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    paths = list(secret_paths(Settings))
    assert ("mongo", "uri") in paths
    assert ("kafka", "password") in paths
    for path in paths:
        monkeypatch.setenv(f"IMUSTREAM_{'__'.join(path).upper()}_FILE", str(file))
    settings = load_settings()
    for section, name in paths:
        found = getattr(getattr(settings, section), name)
        assert found.get_secret_value() == SECRET
    monkeypatch.setenv("IMUSTREAM_MONGO__URI", "mongodb://here")
    assert load_settings().mongo.uri == SecretStr("mongodb://here")


def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMUSTREAM_MONGO__URI_FILE", str(tmp_path / "missing"))
    with pytest.raises(ConfigurationError, match=r"IMUSTREAM_MONGO__URI_FILE names .*missing"):
        load_settings()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("IMUSTREAM_MONGO__URI_FILE", str(tmp_path / "binary"))
    with pytest.raises(ConfigurationError, match="no text"):
        load_settings()


def test_a_wrong_setting_beside_a_secret_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IMUSTREAM_AUTH__SIGNING_KEY", SECRET)
    monkeypatch.setenv("IMUSTREAM_AUTH__OIDC_ISSUER", "https://idp.example")
    monkeypatch.setenv("IMUSTREAM_KAFKA__PASSWORD", SECRET)
    monkeypatch.setenv("IMUSTREAM_KAFKA__USERNAME", "u")
    monkeypatch.setenv("IMUSTREAM_KAFKA__SASL_MECHANISM", "PLAIN")
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    assert SECRET not in str(refused.value)
    assert is_secret(Settings, ("mongo", "uri", 0))
    assert not is_secret(Settings, ("mongo", "database"))


def test_no_printing_of_the_settings_shows_a_secret() -> None:
    settings = load_settings(
        kafka={"username": "u", "password": SECRET, "tls": True},
        s3={"secret_key": SECRET},
        mongo={"uri": f"mongodb://u:{SECRET}@db"},
        auth={"signing_key": SECRET},
    )
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert SECRET not in text


def test_the_log_in_at_kafka_is_what_librdkafka_wants() -> None:
    kafka = load_settings(
        kafka={"username": "u", "password": SECRET, "tls": True, "tls_ca_file": "/ca.pem"}
    ).kafka
    options = client_options(kafka, "x")
    assert options["security.protocol"] == "SASL_SSL"
    assert options["sasl.mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl.username"], options["sasl.password"]) == ("u", SECRET)
    assert options["ssl.ca.location"] == "/ca.pem"
    assert "security.protocol" not in client_options(load_settings().kafka, "x")
    plain = load_settings(kafka={"username": "u", "password": SECRET}).kafka
    assert client_options(plain, "x")["security.protocol"] == "SASL_PLAINTEXT"
    own = load_settings(kafka={"tls": True, "options": {"security.protocol": "ssl"}}).kafka
    assert client_options(own, "x")["security.protocol"] == "ssl"


def test_the_bridge_logs_in_as_itself_where_it_has_a_user_of_its_own() -> None:
    kafka = load_settings(
        kafka={"username": "u", "password": "p", "bridge_username": "b", "bridge_password": SECRET}
    ).kafka
    own = kafka_options(kafka)
    assert (own["sasl.username"], own["sasl.password"]) == ("b", SECRET)
    shared = kafka_options(load_settings(kafka={"username": "u", "password": "p"}).kafka)
    assert (shared["sasl.username"], shared["sasl.password"]) == ("u", "p")


@pytest.mark.parametrize(
    ("kafka", "why"),
    [
        ({"username": "u"}, "kafka.password is needed"),
        ({"bridge_username": "b"}, "kafka.bridge_password is needed"),
        ({"username": "u", "password": "p", "sasl_mechanism": "PLAIN"}, "set kafka.tls"),
    ],
)
def test_a_password_is_not_sent_in_clear(kafka: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        load_settings(kafka=kafka)


def test_a_password_among_the_options_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError, match=r"set kafka\.password instead") as refused:
        load_settings(kafka={"options": {"sasl.password": SECRET}})
    assert SECRET not in str(refused.value)

"""Who gets in, and who does not."""

import pytest

from pipelines.errors import ConfigurationError, DataError
from pipelines.settings import Settings, load_settings
from serve.auth import (
    COOKIE,
    admit,
    is_cross_site,
    login_link,
    new_login_code,
    new_token,
    read_login_code,
)
from serve.principal import Principal

SECRET = "a secret of more than 32 characters, for tests"


def _settings(secret: str | None = SECRET) -> Settings:
    return load_settings(auth={"secret": secret})


def refusal(settings: Settings, headers: dict[str, str], cookies: dict[str, str]) -> str:
    """Return why a request is refused; empty where it passes."""
    found = admit(settings, headers, cookies)
    return "" if isinstance(found, Principal) else found


def test_a_token_lets_in_as_a_cookie_and_as_a_bearer() -> None:
    token = new_token(_settings(), hours=1)
    assert refusal(_settings(), {}, {COOKIE: token}) == ""
    assert refusal(_settings(), {"authorization": f"Bearer {token}"}, {}) == ""
    assert refusal(_settings(), {"authorization": f"bearer {token}"}, {}) == ""


def test_nobody_gets_in_without_a_token() -> None:
    assert refusal(_settings(), {}, {}) == "You are not logged in."
    assert "not logged in" in refusal(_settings(), {"authorization": "Basic eDp5"}, {})


def test_a_token_that_another_key_signed_is_refused() -> None:
    token = new_token(_settings("another secret of more than 32 characters"), hours=1)
    assert "not signed by this service" in refusal(_settings(), {}, {COOKIE: token})


def test_an_expired_token_is_refused() -> None:
    token = new_token(_settings(), hours=-0.01)
    assert "expired" in refusal(_settings(), {}, {COOKIE: token})


def test_a_log_in_code_is_no_token_and_a_token_is_no_code() -> None:
    assert "another purpose" in refusal(_settings(), {}, {COOKIE: new_login_code(_settings())})
    with pytest.raises(DataError, match="another purpose"):
        read_login_code(_settings(), new_token(_settings(), hours=1))


def test_each_code_has_an_id_of_its_own() -> None:
    codes = [read_login_code(_settings(), new_login_code(_settings())) for _ in range(3)]
    assert len({code.jti for code in codes}) == 3


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_no_token_is_refused(token: str) -> None:
    assert refusal(_settings(), {}, {COOKIE: token})


def test_without_a_secret_every_request_is_refused_and_nothing_is_signed() -> None:
    token = new_token(_settings(), hours=1)
    assert "auth.secret is missing" in refusal(_settings(None), {}, {COOKIE: token})
    with pytest.raises(ConfigurationError, match="IMUSTREAM_AUTH__SECRET"):
        new_token(_settings(None), hours=1)
    with pytest.raises(ConfigurationError, match="too short"):
        new_login_code(_settings("short"))


def test_the_link_is_one_a_browser_on_this_machine_can_open() -> None:
    settings = load_settings(auth={"secret": SECRET}, serve={"host": "0.0.0.0", "port": 8001})
    assert login_link(settings).startswith("http://127.0.0.1:8001/login?code=")


@pytest.mark.parametrize(
    ("headers", "cross_site"),
    [
        ({"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"}, False),
        ({"host": "imu.example", "origin": "https://imu.example"}, False),
        ({"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:9000"}, True),
        ({"host": "127.0.0.1:8000", "origin": "https://evil.example"}, True),
        ({"host": "127.0.0.1:8000", "origin": "null"}, True),
        ({"host": "127.0.0.1:8000"}, False),
        ({"host": "x", "origin": "https://evil.example", "authorization": "Bearer t"}, False),
    ],
)
def test_another_sites_page_may_not_use_its_visitors_cookie(
    headers: dict[str, str], cross_site: bool
) -> None:
    assert is_cross_site(headers) is cross_site

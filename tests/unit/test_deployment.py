"""What makes a deployment another one."""

from typing import Any

import pytest
from pydantic import SecretStr

from actors.deployment import deployment
from pipelines.settings import Settings

SECTIONS = {"kafka", "mqtt"}


def changed(section: str, update: dict[str, Any]) -> Settings:
    """The default settings with some of one section replaced."""
    settings = Settings()
    return settings.model_copy(
        update={section: getattr(settings, section).model_copy(update=update)}
    )


def test_the_same_code_and_settings_are_the_same_deployment() -> None:
    assert deployment("c0de", Settings(), SECTIONS) == deployment("c0de", Settings(), SECTIONS)


def test_other_code_is_another_deployment() -> None:
    assert deployment("c0de", Settings(), SECTIONS) != deployment("c0df", Settings(), SECTIONS)


@pytest.mark.parametrize(
    ("section", "update"),
    [
        ("mqtt", {"host": "broker.example"}),
        ("mqtt", {"password": SecretStr("a")}),
        ("kafka", {"options": {"security.protocol": "SSL"}}),
    ],
)
def test_another_setting_of_its_sections_is_another_deployment(
    section: str, update: dict[str, Any]
) -> None:
    before = deployment("c0de", Settings(), SECTIONS)
    assert deployment("c0de", changed(section, update), SECTIONS) != before


def test_another_password_is_another_deployment() -> None:
    first = changed("mqtt", {"password": SecretStr("a")})
    second = changed("mqtt", {"password": SecretStr("b")})
    assert deployment("c0de", first, SECTIONS) != deployment("c0de", second, SECTIONS)


def test_a_setting_of_another_section_does_not_matter() -> None:
    before = deployment("c0de", Settings(), SECTIONS)
    assert deployment("c0de", changed("serve", {"port": 1}), SECTIONS) == before

"""A missing or wrong variable stops the start with one line that names it."""

from __future__ import annotations

import pytest
from python_service.settings import Settings, SettingsError

GOOD = {"DATABASE_URL": "postgresql://u:canary@db:5432/tracewright", "RUST_SERVICE_URL": "http://rust:8003/"}


def test_defaults_and_units() -> None:
    settings = Settings.from_env(GOOD | {"DEPENDENCY_TIMEOUT_MS": "1500"})
    assert settings.database_url == "postgresql+asyncpg://u:canary@db:5432/tracewright"
    assert settings.rust_service_url == "http://rust:8003"
    assert (settings.host, settings.port) == ("127.0.0.1", 8001)
    assert settings.dependency_timeout_s == 1.5
    assert (settings.llm_seed, settings.latency_scale) == (7, 1.0)
    assert settings.capture_message_content is False


def test_empty_variable_means_its_default() -> None:
    assert Settings.from_env(GOOD | {"PORT": "", "LLM_SEED": ""}).port == 8001


@pytest.mark.parametrize("name", GOOD)
def test_missing_variable_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name} is not set$"):
        Settings.from_env({key: value for key, value in GOOD.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://u:canary@db/x"),
        ("DATABASE_URL", "canary"),
        ("RUST_SERVICE_URL", "rust:8003"),
        ("RUST_SERVICE_URL", "http://rust:99999"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("DEPENDENCY_TIMEOUT_MS", "0"),
        ("DEPENDENCY_TIMEOUT_MS", "2s"),
        ("LLM_SEED", "seven"),
        ("LATENCY_SCALE", "-1"),
        ("LATENCY_SCALE", "nan"),
        ("LATENCY_SCALE", "fast"),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "perhaps"),
    ],
)
def test_wrong_variable_is_named_without_repeating_secrets(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name} must ") as caught:
        Settings.from_env(GOOD | {name: value})
    assert "canary" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_password_is_not_shown() -> None:
    assert "canary" not in repr(Settings.from_env(GOOD))

"""Each kind of value is read from the environment or a file, and a wrong one is a mistake."""

import os
from pathlib import Path

import pytest

from genesys_gateway.settings import Settings
from tests.doubles.environment import good_without, mistakes, read


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read(GATEWAY_BIND="", COMMUNICATION_HISTORY_TOKEN=" ").bind == "127.0.0.1:8080"
    assert mistakes(GENESYS_CLIENT_ID=" ") == ["GENESYS_CLIENT_ID is missing"]


def test_only_the_environment_that_was_given_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "GATEWAY_CHANNEL_TOPICS", "7")

    assert read().channel_topics == 1000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GENESYS_ENVIRONMENT", "https://mypurecloud.jp"),
        ("GENESYS_ENVIRONMENT", "my purecloud"),
        ("GENESYS_LOGIN_URL", "login.example"),
        ("GENESYS_LOGIN_URL", "ftp://login.example"),
        ("GENESYS_LOGIN_URL", "https://user:password@login.example"),
        ("GENESYS_LOGIN_URL", "https://login.example@evil.example"),
        ("GENESYS_LOGIN_URL", "https://login.example:99999"),
        ("GENESYS_LOGIN_URL", "https://login.example:0"),
        ("GENESYS_LOGIN_URL", "https:///path"),
        ("GENESYS_LOGIN_URL", "https://login.example?x=1"),
        ("GENESYS_LOGIN_URL", "https://login.example/#x"),
        ("GENESYS_LOGIN_URL", "https://log\nin.example"),
        ("GENESYS_LOGIN_URL", "https://-login.example"),
        ("GENESYS_LOGIN_URL", "https://login.example\\@evil.example"),
        ("GENESYS_STREAMING_HOSTS", "wss://streaming.example"),
        ("GENESYS_STREAMING_HOSTS", "streaming.example:https"),
        ("GENESYS_STREAMING_HOSTS", "streaming.example/channels"),
        ("GENESYS_STREAMING_HOSTS", "user@streaming.example"),
        ("GENESYS_GRANT_TYPE", "password"),
        ("GENESYS_CLIENT_ID", "two words"),
        ("GENESYS_CLIENT_SECRET", "líne"),
        ("GENESYS_SAML_ASSERTION_FILE", "/no/such/file"),
        ("GENESYS_SAML_ASSERTION_URL", "https://user:password@idp.example/"),
        ("GENESYS_SAML_ASSERTION_URL", "https://idp.example/#x"),
        ("GATEWAY_CA_BUNDLE", "/no/such/file"),
        ("GATEWAY_CA_BUNDLE", __file__),
        ("COMMUNICATION_HISTORY_TOKEN", "two words"),
        ("GATEWAY_TOKENS", "bofe"),
        ("GATEWAY_TOKENS", "bofe:short"),
        ("GATEWAY_TOKENS", "boss:long-enough-token"),
        ("GATEWAY_TOKENS", "bofe:has a space"),
        ("GATEWAY_TOKENS", ", ,"),
        ("GATEWAY_CLIENT_RATE_PER_MINUTE", "-1"),
        ("GATEWAY_CLIENT_RATE_PER_MINUTE", "1.5"),
        ("GATEWAY_CHANNEL_TOPICS", "0"),
        ("GATEWAY_CHANNEL_TOPICS", "1001"),
        ("GATEWAY_CHANNEL_BUDGET", "1"),
        ("GATEWAY_CHANNEL_BUDGET", "21"),
        ("GATEWAY_API_RATE_PER_MINUTE", "0"),
        ("GATEWAY_HEARTBEAT_SECONDS", "0"),
        ("GATEWAY_HEARTBEAT_SECONDS", "-1"),
        ("GATEWAY_HEARTBEAT_SECONDS", "nan"),
        ("GATEWAY_HEARTBEAT_SECONDS", "inf"),
        ("GATEWAY_HEARTBEAT_SECONDS", "1e400"),
        ("GATEWAY_HEARTBEAT_SECONDS", "1e9"),
        ("GATEWAY_HEARTBEAT_SECONDS", "40s"),
        ("GATEWAY_RETRY_LIMIT_HOURS", "0"),
        ("GATEWAY_RETENTION_DAYS", "0"),
        ("GATEWAY_LOG_LEVEL", "loud"),
        ("GATEWAY_LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_value_is_one_mistake_that_names_the_variable_and_not_the_value(name: str, value: str) -> None:
    (mistake,) = mistakes(**{name: value})

    assert mistake.startswith(f"{name} ")
    assert len(value) < 10 or value not in mistake


def test_a_name_nobody_knows_is_a_warning_and_not_a_mistake() -> None:
    settings = read(GATEWAY_CHANEL_TOPICS="3", GENESYS_CLIENT="x", PATH="/bin")

    assert settings.warnings == (
        "GATEWAY_CHANEL_TOPICS is not a setting; did you mean GATEWAY_CHANNEL_TOPICS?",
        "GENESYS_CLIENT is not a setting; did you mean GENESYS_CLIENT_ID?",
    )


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from-a-file\n")
    environ = good_without("GENESYS_CLIENT_SECRET")

    settings = Settings.from_environment(environ | {"GENESYS_CLIENT_SECRET_FILE": str(file)})

    assert settings.genesys_client_secret.reveal() == "from-a-file"


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"two words", b"x" * 70_000])
def test_a_secret_file_without_a_usable_secret_is_a_mistake(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)

    (mistake,) = mistakes("GENESYS_CLIENT_SECRET", GENESYS_CLIENT_SECRET_FILE=str(file))

    assert mistake.startswith("GENESYS_CLIENT_SECRET_FILE ")

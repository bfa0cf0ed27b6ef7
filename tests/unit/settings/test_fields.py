"""Are all settings read, all mistakes told at once, and no secret ever shown?"""

import os
from pathlib import Path

import pytest

from genesys_gateway.settings import Settings, SettingsError

GOOD = {
    "GENESYS_ENVIRONMENT": "mypurecloud.jp",
    "GENESYS_GRANT_TYPE": "client-credentials",
    "GENESYS_CLIENT_ID": "client",
    "GENESYS_CLIENT_SECRET": "canary-client-secret",
    "COMMUNICATION_HISTORY_URL": "https://history.bank.example/api/",
    "GATEWAY_TOKENS": "bofe:canary-bofe-token-0001,ops:canary-ops-token-00001",
}
OIDC = {
    "GATEWAY_OIDC_ISSUER": "https://issuer.example",
    "GATEWAY_OIDC_AUDIENCE": "genesys-gateway",
    "GATEWAY_OIDC_JWKS_URL": "https://issuer.example/keys?of=servers",
}
QUEUE = "0D9F3F0C-6f0e-5b52-9d3f-7a0a6c1e2b44"


def read(**changes: str) -> Settings:
    return Settings.from_environment(GOOD | changes)


def mistakes(*without: str, **changes: str) -> list[str]:
    environ = {name: value for name, value in (GOOD | changes).items() if name not in without}
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(environ)
    return list(caught.value.mistakes)


def test_the_defaults_are_those_of_the_interface() -> None:
    settings = read()

    assert settings.genesys_login_url == "https://login.mypurecloud.jp"
    assert settings.genesys_api_url == "https://api.mypurecloud.jp"
    assert settings.genesys_streaming_hosts == (("streaming.mypurecloud.jp", None),)
    assert (settings.database_url, settings.bind) == ("sqlite:///var/gateway.db", "127.0.0.1:8080")
    assert (settings.channel_topics, settings.channel_budget, settings.channel_idle_seconds) == (1000, 20, 30)
    assert (settings.channel_handover_seconds, settings.channel_overlap_seconds) == (3600, 60)
    assert (settings.heartbeat_seconds, settings.reply_seconds, settings.audit_seconds) == (40, 5, 600)
    assert (settings.api_rate_per_minute, settings.client_rate_per_minute) == (300, 0)
    assert (settings.quiet_seconds, settings.reconcile_seconds, settings.analytics_settle_seconds) == (60, 120, 300)
    assert (settings.follow_deadline_seconds, settings.last_look_seconds) == (259_200, 86_400)
    assert (settings.retry_base_seconds, settings.retry_max_seconds, settings.retry_limit_hours) == (1, 300, 72)
    assert (settings.name_lookup_patience_seconds, settings.http_timeout_seconds) == (120, 5)
    assert (settings.lease_seconds, settings.retention_days) == (20, 7)
    assert (settings.default_country, settings.domain_by_queue) == ("PH", {})
    assert (settings.log_level, settings.log_format) == ("info", "json")
    assert settings.plain_http_hosts == {"localhost", "127.0.0.1", "::1"}
    assert (settings.no_proxy, settings.ca_bundle) == ((), None)
    assert (settings.https_proxy, settings.communication_history_token) == (None, None)
    assert settings.warnings == ()


def test_the_grant_type_is_saml_unless_told_otherwise(tmp_path: Path) -> None:
    assertion = tmp_path / "assertion"
    assertion.write_text("PHNhbWw+")
    environ = {name: value for name, value in GOOD.items() if name != "GENESYS_GRANT_TYPE"}
    saml = {"GENESYS_ORG_NAME": "bank", "GENESYS_SAML_ASSERTION_FILE": str(assertion)}

    settings = Settings.from_environment(environ | saml)

    assert settings.genesys_grant_type == "saml2-bearer"
    assert settings.genesys_saml_assertion_file == assertion
    assert settings.genesys_org_name == "bank"


def test_every_timer_can_be_shrunk() -> None:
    timers = [name for name in Settings.__dataclass_fields__ if name.endswith("_seconds")]

    settings = read(**{f"GATEWAY_{name.upper()}": "0.1" if name == "lease_seconds" else "0.05" for name in timers})

    assert {getattr(settings, name) for name in timers} == {0.05, 0.1}
    assert settings.warnings == ()


def test_values_are_read_as_what_they_are() -> None:
    settings = read(
        GATEWAY_DOMAIN_BY_QUEUE=f'{{"{QUEUE}": "CARDS"}}',
        GATEWAY_DEFAULT_COUNTRY="de",
        GATEWAY_LOG_LEVEL="DEBUG",
        GENESYS_STREAMING_HOSTS="Streaming.example, [::1]:9000,127.0.0.1:9001",
        COMMUNICATION_HISTORY_URL="http://127.0.0.1:9000/history/",
        GATEWAY_NO_PROXY=".bank.example, 10.0.0.0/8",
    )

    assert settings.domain_by_queue == {QUEUE.lower(): "CARDS"}
    assert (settings.default_country, settings.log_level) == ("DE", "debug")
    assert settings.genesys_streaming_hosts == (("streaming.example", None), ("::1", 9000), ("127.0.0.1", 9001))
    assert settings.communication_history_url == "http://127.0.0.1:9000/history"
    assert settings.bypasses_proxy("api.bank.example")
    assert settings.bypasses_proxy("10.1.2.3")
    assert not settings.bypasses_proxy("notbank.example")


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read(GATEWAY_BIND="", COMMUNICATION_HISTORY_TOKEN=" ").bind == "127.0.0.1:8080"
    assert mistakes(GENESYS_CLIENT_ID=" ") == ["GENESYS_CLIENT_ID is missing"]


def test_only_the_environment_that_was_given_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "GATEWAY_CHANNEL_TOPICS", "7")

    assert read().channel_topics == 1000


def test_all_mistakes_are_told_in_one_message() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({"GATEWAY_LEASE_SECONDS": "x", "GATEWAY_CHANNEL_BUDGET": "21"})

    assert str(caught.value).splitlines() == [
        "Genesys-gateway can't start: 9 settings are wrong.",
        "  COMMUNICATION_HISTORY_URL is missing",
        "  GATEWAY_CHANNEL_BUDGET must be from 2 to 20",
        "  GATEWAY_LEASE_SECONDS is wrong: not a valid number",
        "  GATEWAY_TOKENS is missing (or GATEWAY_TOKENS_FILE, or all of GATEWAY_OIDC_ISSUER, GATEWAY_OIDC_AUDIENCE,"
        " GATEWAY_OIDC_JWKS_URL)",
        "  GENESYS_CLIENT_ID is missing",
        "  GENESYS_CLIENT_SECRET is missing (or GENESYS_CLIENT_SECRET_FILE)",
        "  GENESYS_ENVIRONMENT is missing (or give all of GENESYS_LOGIN_URL, GENESYS_API_URL, GENESYS_STREAMING_HOSTS)",
        "  GENESYS_ORG_NAME is missing; the grant type saml2-bearer needs it",
        "  GENESYS_SAML_ASSERTION_FILE is missing; the grant type saml2-bearer needs it "
        "(or GENESYS_SAML_ASSERTION_URL, or GENESYS_SAML_KEY_FILE and what belongs to it)",
    ]


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
        ("GENESYS_API_URL", "http://api.example"),
        ("GENESYS_API_URL", "http://127.0.0.1.evil.example"),
        ("GENESYS_STREAMING_HOSTS", "wss://streaming.example"),
        ("GENESYS_STREAMING_HOSTS", "streaming.example:https"),
        ("GENESYS_STREAMING_HOSTS", "streaming.example/channels"),
        ("GENESYS_STREAMING_HOSTS", "user@streaming.example"),
        ("GENESYS_STREAMING_HOSTS", ","),
        ("GENESYS_GRANT_TYPE", "password"),
        ("GENESYS_CLIENT_ID", "two words"),
        ("GENESYS_CLIENT_SECRET", "líne"),
        ("GENESYS_SAML_ASSERTION_FILE", "/no/such/file"),
        ("GENESYS_SAML_ASSERTION_URL", "https://user:password@idp.example/"),
        ("GENESYS_SAML_ASSERTION_URL", "https://idp.example/#x"),
        ("GENESYS_SAML_SUBJECT", "not an address"),
        ("GATEWAY_CA_BUNDLE", "/no/such/file"),
        ("GATEWAY_CA_BUNDLE", __file__),
        ("GATEWAY_HTTPS_PROXY", "proxy.example:3128"),
        ("GATEWAY_HTTPS_PROXY", "socks5://proxy.example:1080"),
        ("GATEWAY_HTTPS_PROXY", "http://proxy.example"),
        ("GATEWAY_PLAIN_HTTP_HOSTS", "http://history"),
        ("GATEWAY_PLAIN_HTTP_HOSTS", "history:80"),
        ("COMMUNICATION_HISTORY_URL", "http://history.bank.example"),
        ("COMMUNICATION_HISTORY_TOKEN", "two words"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite:///file:x?mode=memory&uri=true"),
        ("DATABASE_URL", "postgresql://host/db"),
        ("DATABASE_URL", "postgresql+psycopg://host"),
        ("DATABASE_URL", "mysql://host/db"),
        ("DATABASE_URL", "nonsense"),
        ("GATEWAY_BIND", "8080"),
        ("GATEWAY_BIND", ":8080"),
        ("GATEWAY_BIND", "127.0.0.1:http"),
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
        ("GATEWAY_DEFAULT_COUNTRY", "XX"),
        ("GATEWAY_DOMAIN_BY_QUEUE", "[]"),
        ("GATEWAY_DOMAIN_BY_QUEUE", "{"),
        ("GATEWAY_DOMAIN_BY_QUEUE", '{"queue": "CARDS"}'),
        ("GATEWAY_DOMAIN_BY_QUEUE", f'{{"{QUEUE}": 1}}'),
        ("GATEWAY_DOMAIN_BY_QUEUE", f'{{"{QUEUE}": " "}}'),
        ("GATEWAY_LOG_LEVEL", "loud"),
        ("GATEWAY_LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_value_is_one_mistake_that_names_the_variable_and_not_the_value(name: str, value: str) -> None:
    (mistake,) = mistakes(**{name: value})

    assert mistake.startswith(f"{name} ")
    assert len(value) < 10 or value not in mistake


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        (
            {"GATEWAY_LEASE_SECONDS": "9.9"},
            "GATEWAY_LEASE_SECONDS must be at least twice GATEWAY_HTTP_TIMEOUT_SECONDS",
        ),
        (
            {"GATEWAY_RETRY_BASE_SECONDS": "400"},
            "GATEWAY_RETRY_BASE_SECONDS must not be above GATEWAY_RETRY_MAX_SECONDS",
        ),
        (
            {"GATEWAY_TOKENS_FILE": __file__},
            "GATEWAY_TOKENS and GATEWAY_TOKENS_FILE are both set; give one of them",
        ),
        (
            OIDC | {"GATEWAY_OIDC_AUDIENCE": ""},
            "GATEWAY_OIDC_AUDIENCE is missing; give all of GATEWAY_OIDC_ISSUER, GATEWAY_OIDC_AUDIENCE,"
            " GATEWAY_OIDC_JWKS_URL, or none",
        ),
        (
            OIDC | {"GATEWAY_OIDC_JWKS_URL": "http://issuer.example/keys"},
            "GATEWAY_OIDC_JWKS_URL must be https://, or its host must be in GATEWAY_PLAIN_HTTP_HOSTS",
        ),
        (
            OIDC | {"GATEWAY_OIDC_JWKS_URL": "https://user:canary@issuer.example/keys"},
            "GATEWAY_OIDC_JWKS_URL must not hold a user name or password",
        ),
        (
            {"GENESYS_SAML_ASSERTION_URL": "http://idp.bank.example/assertion?for=genesys"},
            "GENESYS_SAML_ASSERTION_URL must be https://, or its host must be in GATEWAY_PLAIN_HTTP_HOSTS",
        ),
        (
            {"COMMUNICATION_HISTORY_URL": "http://history.bank.example"},
            "COMMUNICATION_HISTORY_URL must be https://, or its host must be in GATEWAY_PLAIN_HTTP_HOSTS",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_a_mistake(changes: dict[str, str], mistake: str) -> None:
    assert mistakes(**changes) == [mistake]


def test_without_tokens_it_refuses_to_start() -> None:
    (mistake,) = mistakes("GATEWAY_TOKENS")

    assert mistake.startswith("GATEWAY_TOKENS is missing (or GATEWAY_TOKENS_FILE, or all of GATEWAY_OIDC_ISSUER,")


def test_an_issuer_is_enough_to_let_callers_in() -> None:
    settings = read(**OIDC, GATEWAY_TOKENS="")

    assert settings.tokens is None
    assert (settings.oidc_issuer, settings.oidc_audience) == ("https://issuer.example", "genesys-gateway")
    assert settings.oidc_jwks_url == "https://issuer.example/keys?of=servers"
    assert settings.warnings == ()


def test_a_listed_host_may_be_spoken_to_without_tls_and_is_warned_about() -> None:
    settings = read(COMMUNICATION_HISTORY_URL="http://history:8000", GATEWAY_PLAIN_HTTP_HOSTS="History, 10.0.0.7")

    assert settings.may_speak_plainly_to("HISTORY")
    assert settings.may_speak_plainly_to("127.8.8.8")
    assert settings.may_speak_plainly_to("[::1]")
    assert settings.may_speak_plainly_to("localhost")
    assert not settings.may_speak_plainly_to("history.evil.example")
    assert not settings.may_speak_plainly_to("localhost.evil.example")
    assert settings.warnings == (
        "GATEWAY_PLAIN_HTTP_HOSTS lets 10.0.0.7 be spoken to without TLS",
        "GATEWAY_PLAIN_HTTP_HOSTS lets history be spoken to without TLS",
    )


def test_a_name_nobody_knows_is_a_warning_and_not_a_mistake() -> None:
    settings = read(GATEWAY_CHANEL_TOPICS="3", GENESYS_CLIENT="x", PATH="/bin")

    assert settings.warnings == (
        "GATEWAY_CHANEL_TOPICS is not a setting; did you mean GATEWAY_CHANNEL_TOPICS?",
        "GENESYS_CLIENT is not a setting; did you mean GENESYS_CLIENT_ID?",
    )


def test_a_short_token_works_but_is_warned_about() -> None:
    settings = read(GATEWAY_TOKENS="bofe:12345678")

    assert settings.warnings == ("GATEWAY_TOKENS has a token with less than 20 characters",)


def test_no_secret_is_shown_by_the_settings() -> None:
    settings = read(
        DATABASE_URL="postgresql+psycopg://gateway:canary-password@db.example/gateway",
        GATEWAY_HTTPS_PROXY="http://user:canary-proxy@proxy.example:3128",
        COMMUNICATION_HISTORY_TOKEN="canary-history-token",
    )

    assert "canary" not in repr(settings)
    assert settings.database_url.endswith("canary-password@db.example/gateway")
    assert settings.https_proxy == "http://user:canary-proxy@proxy.example:3128"


def test_no_secret_is_shown_by_a_mistake() -> None:
    told = mistakes(
        GATEWAY_TOKENS="bofe:canary token",
        GENESYS_CLIENT_SECRET="canary secret",
        DATABASE_URL="mysql://x:canary@y/z",
        COMMUNICATION_HISTORY_URL="https://canary:canary@history.example",
    )

    assert len(told) == 4
    assert "canary" not in "".join(told)


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from-a-file\n")
    environ = {name: value for name, value in GOOD.items() if name != "GENESYS_CLIENT_SECRET"}

    settings = Settings.from_environment(environ | {"GENESYS_CLIENT_SECRET_FILE": str(file)})

    assert settings.genesys_client_secret.reveal() == "from-a-file"


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"two words", b"x" * 70_000])
def test_a_secret_file_without_a_usable_secret_is_a_mistake(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)

    (mistake,) = mistakes("GENESYS_CLIENT_SECRET", GENESYS_CLIENT_SECRET_FILE=str(file))

    assert mistake.startswith("GENESYS_CLIENT_SECRET_FILE ")


def test_a_database_url_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql+psycopg://gateway:canary@db.example/gateway\n")

    assert read(DATABASE_URL_FILE=str(file)).database_url == "postgresql+psycopg://gateway:canary@db.example/gateway"

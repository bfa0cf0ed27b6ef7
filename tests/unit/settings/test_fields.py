"""All settings are read, all mistakes are reported at once, and no secret is shown."""

from pathlib import Path

import pytest

from genesys_gateway.settings import Settings, SettingsError
from tests.doubles.environment import QUEUE, good_without, mistakes, read


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
    assert (settings.log_level, settings.log_format) == ("info", "auto")
    assert settings.plain_http_hosts == {"localhost", "127.0.0.1", "::1"}
    assert (settings.no_proxy, settings.ca_bundle) == ((), None)
    assert (settings.https_proxy, settings.communication_history_token) == (None, None)
    assert settings.warnings == ()


def test_the_grant_type_is_saml_unless_told_otherwise(tmp_path: Path) -> None:
    assertion = tmp_path / "assertion"
    assertion.write_text("PHNhbWw+")
    environ = good_without("GENESYS_GRANT_TYPE")
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
    found = mistakes(
        GATEWAY_TOKENS="bofe:canary token",
        GENESYS_CLIENT_SECRET="canary secret",
        DATABASE_URL="mysql://x:canary@y/z",
        COMMUNICATION_HISTORY_URL="https://canary:canary@history.example",
    )

    assert len(found) == 4
    assert "canary" not in "".join(found)

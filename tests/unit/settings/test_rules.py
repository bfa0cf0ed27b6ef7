"""Values must follow the rules of their setting, and must not contradict each other."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.doubles.environment import OIDC, QUEUE, mistakes, read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GENESYS_API_URL", "http://api.example"),
        ("GENESYS_API_URL", "http://127.0.0.1.evil.example"),
        ("GENESYS_STREAMING_HOSTS", ","),
        ("GENESYS_SAML_SUBJECT", "not an address"),
        ("GATEWAY_HTTPS_PROXY", "proxy.example:3128"),
        ("GATEWAY_HTTPS_PROXY", "socks5://proxy.example:1080"),
        ("GATEWAY_HTTPS_PROXY", "http://proxy.example"),
        ("GATEWAY_PLAIN_HTTP_HOSTS", "http://history"),
        ("GATEWAY_PLAIN_HTTP_HOSTS", "history:80"),
        ("COMMUNICATION_HISTORY_URL", "http://history.bank.example"),
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
        ("GATEWAY_DEFAULT_COUNTRY", "XX"),
        ("GATEWAY_DOMAIN_BY_QUEUE", "[]"),
        ("GATEWAY_DOMAIN_BY_QUEUE", "{"),
        ("GATEWAY_DOMAIN_BY_QUEUE", '{"queue": "CARDS"}'),
        ("GATEWAY_DOMAIN_BY_QUEUE", f'{{"{QUEUE}": 1}}'),
        ("GATEWAY_DOMAIN_BY_QUEUE", f'{{"{QUEUE}": " "}}'),
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

    assert settings.allows_plain_http_to("HISTORY")
    assert settings.allows_plain_http_to("127.8.8.8")
    assert settings.allows_plain_http_to("[::1]")
    assert settings.allows_plain_http_to("localhost")
    assert not settings.allows_plain_http_to("history.evil.example")
    assert not settings.allows_plain_http_to("localhost.evil.example")
    assert settings.warnings == (
        "GATEWAY_PLAIN_HTTP_HOSTS lets 10.0.0.7 be spoken to without TLS",
        "GATEWAY_PLAIN_HTTP_HOSTS lets history be spoken to without TLS",
    )


def test_a_short_token_works_but_is_warned_about() -> None:
    settings = read(GATEWAY_TOKENS="bofe:12345678")

    assert settings.warnings == ("GATEWAY_TOKENS has a token with less than 20 characters",)


def test_a_database_url_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql+psycopg://gateway:canary@db.example/gateway\n")

    assert read(DATABASE_URL_FILE=str(file)).database_url == "postgresql+psycopg://gateway:canary@db.example/gateway"


_WITHOUT_PACKAGES = """
import sys
sys.modules["opentelemetry"] = None
from tests.doubles.environment import mistakes
print("\\n".join(mistakes("GENESYS_CLIENT_ID", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4318")))
"""


def test_traces_need_their_packages_and_that_is_one_of_the_mistakes() -> None:
    done = subprocess.run([sys.executable, "-c", _WITHOUT_PACKAGES], capture_output=True, text=True, timeout=60)

    assert done.stdout.splitlines() == [
        "GENESYS_CLIENT_ID is missing",
        "OTEL_EXPORTER_OTLP_ENDPOINT lacks packages: pip install 'genesys-gateway[tracing]', or make tracing",
    ]


def test_the_address_for_traces_is_a_base_url() -> None:
    assert read(OTEL_EXPORTER_OTLP_ENDPOINT="http://collector:4318/").otel_exporter_otlp_endpoint == (
        "http://collector:4318"
    )
    assert mistakes(OTEL_EXPORTER_OTLP_ENDPOINT="collector:4318")[0].startswith("OTEL_EXPORTER_OTLP_ENDPOINT must be")

"""Rules for single settings that need more than a range, and rules that compare several settings.

Invariant: a rule that compares settings reports nothing while one of their values is wrong or missing by itself.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import phonenumbers

from genesys_gateway.settings import environment
from genesys_gateway.settings.database_url import check_database_url
from genesys_gateway.settings.environment import Environment
from genesys_gateway.settings.secret import one_word, role_tokens

#: What runtime.tracing_sdk imports.
_TRACING_PACKAGES = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter")

#: The database if none is named.
DATABASE = "sqlite:///var/gateway.db"
#: Names of the loopback interface. What is sent there never leaves this machine, so it needs no TLS.
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
#: Length in characters below which a role token is accepted with a warning.
COMFORTABLE_TOKEN_LENGTH = 20
#: Number of days before its end from which on a certificate causes a warning.
COMFORTABLE_CERTIFICATE_DAYS = 30

_QUEUE_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: Variables of the settings that must be https, by field.
_URLS = {
    "genesys_login_url": "GENESYS_LOGIN_URL",
    "genesys_api_url": "GENESYS_API_URL",
    "communication_history_url": "COMMUNICATION_HISTORY_URL",
    "genesys_saml_assertion_url": "GENESYS_SAML_ASSERTION_URL",
    "oidc_jwks_url": "GATEWAY_OIDC_JWKS_URL",
}
_OF_REGION = ("GENESYS_LOGIN_URL", "GENESYS_API_URL", "GENESYS_STREAMING_HOSTS")
_SIGNING = (
    "GENESYS_SAML_KEY_FILE",
    "GENESYS_SAML_CERTIFICATE_FILE",
    "GENESYS_SAML_ISSUER",
    "GENESYS_SAML_SUBJECT",
    "GENESYS_SAML_AUDIENCE",
)
_OIDC = ("GATEWAY_OIDC_ISSUER", "GATEWAY_OIDC_AUDIENCE", "GATEWAY_OIDC_JWKS_URL")


def plain_http_hosts(value: str) -> frozenset[str]:
    """The listed hosts, and the usual names of loopback."""
    return environment.hosts(value) | LOOPBACK


def may_be_plain(host: str, listed: frozenset[str]) -> bool:
    """Whether a host may be reached without TLS: loopback always, others if they are listed."""
    name = host.lower().strip("[]")
    try:
        return name in listed or ip_address(name).is_loopback
    except ValueError:
        return False


def bypasses_proxy(host: str, no_proxy: tuple[str, ...]) -> bool:
    """Whether an entry matches the host: ``*``, the host itself, a domain above it, or a network that contains it."""
    name = host.lower().strip("[]")
    return any(_matches(name, entry) for entry in no_proxy)


def _matches(name: str, entry: str) -> bool:
    try:
        return ip_address(name) in ip_network(entry, strict=False)
    except ValueError:
        return entry == "*" or name == entry.lstrip(".") or name.endswith("." + entry.lstrip("."))


def email(value: str) -> str:
    """An e-mail address. Only obvious mistakes are found."""
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
        raise ValueError("must be the e-mail address of a Genesys user")
    return value


def words(value: str) -> tuple[str, ...]:
    """Words, separated by commas, returned in lower case."""
    return tuple(word.strip().lower() for word in environment.text(value).split(",") if word.strip())


def proxy(value: str) -> str:
    """The URL of an HTTP proxy; it may contain a user name and a password."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError("must be http://host:port") from None
    if parts.scheme != "http" or not parts.hostname or not port or parts.path not in ("", "/") or parts.query:
        raise ValueError("must be http://host:port")
    environment.host(parts.hostname)
    return one_word(value.rstrip("/"))


def database_url(env: Environment, name: str) -> str | None:
    """The URL of a durable database: an SQLite file, or PostgreSQL over psycopg 3."""
    default = None if env.has(f"{name}_FILE") else DATABASE
    if default and not env.has(name):
        return default
    secret = env.secret(name, check_database_url)
    return secret.reveal() if secret else None


def bind(value: str) -> str:
    """The address gunicorn listens on: ``host:port`` or ``unix:/path``."""
    if value.startswith("unix:/"):
        return environment.text(value)
    if value.startswith(":") or environment.host_port(value)[1] is None:
        raise ValueError("must be host:port or unix:/path")
    return value


def country(value: str) -> str:
    """The two letters of a country that the library ``phonenumbers`` supports."""
    if value.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("must be the two letters of a country, as PH")
    return value.upper()


def domains(value: str) -> Mapping[str, str]:
    """A JSON object of queue id to domain; the ids are returned in lower case."""
    try:
        domain_of = dict(json.loads(value).items())
    except (ValueError, RecursionError, AttributeError):
        raise ValueError("must be a JSON object of queue id to domain") from None
    for queue_id, domain in domain_of.items():
        if not _QUEUE_ID.fullmatch(queue_id):
            raise ValueError("has a key that is no queue id (a UUID)")
        if not isinstance(domain, str) or not domain.strip() or not domain.isprintable():
            raise ValueError("has a domain that is no text")
    return {queue_id.lower(): domain.strip() for queue_id, domain in domain_of.items()}


def traces_endpoint(value: str) -> str:
    """The base URL of a collector of traces. The packages that export them must be installed."""
    try:
        installed = all(map(find_spec, _TRACING_PACKAGES))
    except ModuleNotFoundError:  # not even the package around one of them
        installed = False
    if not installed:
        raise ValueError("lacks packages: pip install 'genesys-gateway[tracing]', or make tracing")
    return environment.url(value)


def check(env: Environment, values: Mapping[str, Any]) -> None:
    """Note every mistake that only a comparison of several settings shows."""
    _check_region(env)
    _check_grant(env, values)
    _check_plain_http(env, values)
    _check_timers(env, values)
    _check_streaming_hosts(env, values)
    _check_credentials(env)


def _check_region(env: Environment) -> None:
    if not env.has("GENESYS_ENVIRONMENT") and not all(env.has(name) for name in _OF_REGION):
        env.mistake("GENESYS_ENVIRONMENT", f"is missing (or give all of {', '.join(_OF_REGION)})")


def _check_grant(env: Environment, values: Mapping[str, Any]) -> None:
    if values["genesys_grant_type"] != "saml2-bearer":
        return
    if not env.has("GENESYS_ORG_NAME"):
        env.mistake("GENESYS_ORG_NAME", "is missing; the grant type saml2-bearer needs it")
    signing = any(env.has(name) for name in _SIGNING)
    named = [name for name in ("GENESYS_SAML_ASSERTION_FILE", "GENESYS_SAML_ASSERTION_URL") if env.has(name)]
    sources = named + (["GENESYS_SAML_KEY_FILE"] if signing else [])
    if not sources:
        others = "or GENESYS_SAML_ASSERTION_URL, or GENESYS_SAML_KEY_FILE and what belongs to it"
        env.mistake("GENESYS_SAML_ASSERTION_FILE", f"is missing; the grant type saml2-bearer needs it ({others})")
    if len(sources) > 1:
        env.mistake(sources[1], f"and {sources[0]} are both set; give one source of assertions")
    if signing:
        _check_signing(env, values)


def _check_signing(env: Environment, values: Mapping[str, Any]) -> None:
    for name in _SIGNING:
        if not env.has(name):
            env.mistake(name, "is missing; to sign assertions it is needed")
    if files := _signing_files(values):
        from genesys_gateway.settings.signing_key import SigningKey

        try:
            SigningKey.read(*files)
        except ValueError as error:
            env.mistake(*str(error).split(" ", 1))


def _signing_files(values: Mapping[str, Any]) -> tuple[Path, Path] | None:
    key, certificate = values["genesys_saml_key_file"], values["genesys_saml_certificate_file"]
    return (key, certificate) if key is not None and certificate is not None else None


def _check_plain_http(env: Environment, values: Mapping[str, Any]) -> None:
    listed = values["plain_http_hosts"]
    for name, variable in _URLS.items():
        parts = urlsplit(values[name] or "https:")
        if listed is None or parts.scheme == "https":
            continue
        if not may_be_plain(parts.hostname or "", listed):
            env.mistake(variable, "must be https://, or its host must be in GATEWAY_PLAIN_HTTP_HOSTS")


def _check_timers(env: Environment, values: Mapping[str, Any]) -> None:
    lease, timeout = values["lease_seconds"], values["http_timeout_seconds"]
    if lease is not None and timeout is not None and lease < 2 * timeout:
        # An attempt takes up to two calls, and must end before the lease of its claim does.
        env.mistake("GATEWAY_LEASE_SECONDS", "must be at least twice GATEWAY_HTTP_TIMEOUT_SECONDS")
    base, most = values["retry_base_seconds"], values["retry_max_seconds"]
    if base is not None and most is not None and base > most:
        env.mistake("GATEWAY_RETRY_BASE_SECONDS", "must not be above GATEWAY_RETRY_MAX_SECONDS")


def _check_streaming_hosts(env: Environment, values: Mapping[str, Any]) -> None:
    if values["genesys_streaming_hosts"] == ():
        env.mistake("GENESYS_STREAMING_HOSTS", "names no host")


def _check_credentials(env: Environment) -> None:
    missing = [name for name in _OIDC if not env.has(name)]
    if len(missing) == len(_OIDC) and not env.has("GATEWAY_TOKENS") and not env.has("GATEWAY_TOKENS_FILE"):
        env.mistake("GATEWAY_TOKENS", f"is missing (or GATEWAY_TOKENS_FILE, or all of {', '.join(_OIDC)})")
    if len(missing) < len(_OIDC):
        for name in missing:
            env.mistake(name, f"is missing; give all of {', '.join(_OIDC)}, or none")


def warnings_about(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return warnings about values that are allowed but risky. The values must have no mistake."""
    listed = values["plain_http_hosts"] - LOOPBACK
    plain = [f"GATEWAY_PLAIN_HTTP_HOSTS lets {host} be spoken to without TLS" for host in listed]
    pairs = role_tokens(values["tokens"].reveal()) if values["tokens"] else ()
    short = any(len(token) < COMFORTABLE_TOKEN_LENGTH for _, token in pairs)
    tokens = [f"GATEWAY_TOKENS has a token with less than {COMFORTABLE_TOKEN_LENGTH} characters"] if short else []
    forgets = values["forget_days"] < values["retention_days"]
    days = ["GATEWAY_FORGET_DAYS is below GATEWAY_RETENTION_DAYS: what is erased is deleted at once"] if forgets else []
    return (*sorted(plain), *tokens, *days, *_signing_warnings(values))


def _signing_warnings(values: Mapping[str, Any]) -> tuple[str, ...]:
    files = _signing_files(values) if values["genesys_grant_type"] == "saml2-bearer" else None
    if files is None:
        return ()
    from genesys_gateway.settings.signing_key import SigningKey

    found = []
    if files[0].stat().st_mode & 0o077:
        found.append("GENESYS_SAML_KEY_FILE can be read by other users; its holder can act as any user of Genesys")
    ends_at = SigningKey.read(*files).ends_at()
    if ends_at < datetime.now(UTC) + timedelta(days=COMFORTABLE_CERTIFICATE_DAYS):
        found.append(f"GENESYS_SAML_CERTIFICATE_FILE ends at {ends_at:%Y-%m-%d %H:%M} UTC")
    return tuple(found)

"""Every setting of the service: its name, default and limits, read once and checked together.

Law: a mistake is found before the first worker starts, all mistakes are told at once, and no secret is shown.
The variable of a field is its name in upper case, with ``GATEWAY_`` before it unless it starts with another party's.
"""
# ruff: noqa: RUF009 - each call in the dataclass makes a dataclasses.field, once

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from genesys_gateway.runtime.errors import PermanentFailure
from genesys_gateway.settings import environment, rules
from genesys_gateway.settings.environment import Environment, HostPort
from genesys_gateway.settings.secret import Secret, one_word, role_tokens

_OTHERS = ("genesys_", "communication_history_", "database_")


class SettingsError(PermanentFailure):
    """The service can't start like this.

    Args:
        mistakes: One line each, starting with the variable's name, never with a secret's value.
    """

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        self.mistakes = mistakes
        count = "1 setting is wrong" if len(mistakes) == 1 else f"{len(mistakes)} settings are wrong"
        super().__init__("\n".join([f"Genesys-gateway can't start: {count}.", *(f"  {line}" for line in mistakes)]))


def _read(reader: Callable[[Environment, str], object], *, hidden: bool = False) -> Any:
    return field(metadata={"read": reader}, repr=not hidden)


def _seconds(default: float) -> Any:
    return _read(lambda env, name: env.seconds(name, default))


def _number(default: float, most: float) -> Any:
    return _read(lambda env, name: env.number(name, default, most))


def _whole(default: int, least: int, most: int) -> Any:
    return _read(lambda env, name: env.whole(name, default, least, most))


def _parsed(parse: Callable[[str], object], default: str | None = None, *, hidden: bool = False) -> Any:
    return _read(lambda env, name: env.parsed(name, parse, default), hidden=hidden)


def _required(parse: Callable[[str], object]) -> Any:
    return _read(lambda env, name: env.required(name, parse))


def _secret(check: Callable[[str], object], *, needed: bool = True) -> Any:
    return _read(lambda env, name: env.secret(name, check, needed=needed))


def _of_region(parse: Callable[[str], object], before: str) -> Any:
    """A host of the Genesys region, unless it is given by itself."""

    def read(env: Environment, name: str) -> object:
        region = env.parsed("GENESYS_ENVIRONMENT", environment.host)
        return env.parsed(name, parse, f"{before}{region}" if region else None)

    return _read(read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings; made by :meth:`from_environment`. Times are in the unit their name ends with."""

    #: Hosts that may be spoken to without TLS; loopback's names are always among them.
    plain_http_hosts: frozenset[str] = _parsed(rules.plain_http_hosts, "")
    #: Base URLs, without a slash at the end.
    genesys_login_url: str = _of_region(environment.url, "https://login.")
    genesys_api_url: str = _of_region(environment.url, "https://api.")
    #: What a ``connectUri`` may name. A port of None means the scheme's own.
    genesys_streaming_hosts: tuple[HostPort, ...] = _of_region(environment.host_ports, "streaming.")
    #: ``saml2-bearer`` or ``client-credentials``; the fields each needs are checked with it.
    genesys_grant_type: str = _parsed(environment.one_of("saml2-bearer", "client-credentials"), "saml2-bearer")
    genesys_client_id: str = _required(one_word)
    genesys_client_secret: Secret = _secret(one_word)
    genesys_org_name: str | None = _parsed(environment.text)
    #: One of three sources of assertions: a file, ...
    genesys_saml_assertion_file: Path | None = _parsed(environment.file)
    #: ... an address that is asked for one, ...
    genesys_saml_assertion_url: str | None = _parsed(environment.address)
    genesys_saml_assertion_url_token: Secret | None = _secret(one_word, needed=False)
    #: ... or what the gateway needs to sign one by itself.
    genesys_saml_key_file: Path | None = _parsed(environment.file)
    genesys_saml_certificate_file: Path | None = _parsed(environment.file)
    genesys_saml_issuer: str | None = _parsed(environment.text)
    genesys_saml_subject: str | None = _parsed(rules.email)
    genesys_saml_audience: str | None = _parsed(environment.text)

    #: CA file for all outbound TLS; None: the system's.
    ca_bundle: Path | None = _parsed(environment.ca_file)
    #: It may hold a password, so it is hidden like a secret.
    https_proxy: str | None = _parsed(rules.proxy, hidden=True)
    #: Hosts, domains and networks that are reached without the proxy.
    no_proxy: tuple[str, ...] = _parsed(rules.words, "")

    communication_history_url: str = _required(environment.url)
    communication_history_token: Secret | None = _secret(one_word, needed=False)
    #: SQLAlchemy's; it may hold a password.
    database_url: str = _read(rules.database_url, hidden=True)

    #: For gunicorn.
    bind: str = _parsed(rules.bind, "127.0.0.1:8080")
    #: ``role:token`` pairs, see :func:`genesys_gateway.settings.secret.role_tokens`.
    tokens: Secret | None = _secret(role_tokens, needed=False)
    #: Callers' tokens of this issuer are taken, too; all three or none.
    oidc_issuer: str | None = _parsed(environment.text)
    oidc_audience: str | None = _parsed(environment.text)
    oidc_jwks_url: str | None = _parsed(environment.address)
    #: 0 means no limit.
    client_rate_per_minute: int = _whole(0, 0, 1_000_000)

    channel_topics: int = _whole(1000, 1, 1000)
    #: At least 2: one is kept free for handovers. Genesys removes a channel when a 21st is made.
    channel_budget: int = _whole(20, 2, 20)
    channel_idle_seconds: float = _seconds(30)
    channel_handover_seconds: float = _seconds(3600)
    channel_overlap_seconds: float = _seconds(60)
    heartbeat_seconds: float = _seconds(40)
    reply_seconds: float = _seconds(5)
    audit_seconds: float = _seconds(600)
    api_rate_per_minute: int = _whole(300, 1, 100_000)

    quiet_seconds: float = _seconds(60)
    reconcile_seconds: float = _seconds(120)
    analytics_settle_seconds: float = _seconds(300)
    follow_deadline_seconds: float = _seconds(259_200)
    last_look_seconds: float = _seconds(86_400)

    retry_base_seconds: float = _seconds(1)
    retry_max_seconds: float = _seconds(300)
    retry_limit_hours: float = _number(72, 8784)
    name_lookup_patience_seconds: float = _seconds(120)
    http_timeout_seconds: float = _seconds(5)
    lease_seconds: float = _seconds(20)
    retention_days: float = _number(7, 3660)

    #: Two letters, for phone numbers without a country code.
    default_country: str = _parsed(rules.country, "PH")
    #: Queue id (lower case) to the domain a record of it gets.
    domain_by_queue: Mapping[str, str] = _parsed(rules.domains, "{}")

    log_level: str = _parsed(environment.one_of("debug", "info", "warning", "error", "critical"), "info")
    log_format: str = _parsed(environment.one_of("json", "text"), "json")

    #: What is no mistake but deserves a look; to be logged at the start.
    warnings: tuple[str, ...] = field(default=())

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read and check everything. Files that settings name are opened.

        Raises:
            SettingsError: Anything is wrong; it names every mistake.
        """
        env = Environment(environ)
        readers = {f.name: f.metadata["read"] for f in fields(cls) if "read" in f.metadata}
        values = {name: read(env, variable(name)) for name, read in readers.items()}
        rules.check(env, values)
        if mistakes := env.finish():
            raise SettingsError(mistakes)
        return cls(**values, warnings=env.unknown() + rules.worries(values))

    def may_speak_plainly_to(self, host: str) -> bool:
        """Whether http or ws, without TLS, is allowed to that host."""
        return rules.may_be_plain(host, self.plain_http_hosts)

    def bypasses_proxy(self, host: str) -> bool:
        """Whether that host is reached directly although there is a proxy."""
        return rules.bypasses_proxy(host, self.no_proxy)


def variable(name: str) -> str:
    """The environment variable of a field."""
    return name.upper() if name.startswith(_OTHERS) else f"GATEWAY_{name.upper()}"

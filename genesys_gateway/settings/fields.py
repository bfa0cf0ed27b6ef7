"""Every setting of the service: its name, default and limits, read once and checked together.

The variable of a field is the field's name in upper case, after ``GATEWAY_`` unless it starts with ``GENESYS_``,
``COMMUNICATION_HISTORY_``, ``DATABASE_`` or ``OTEL_``.

Invariant: mistakes are found before the first worker starts and reported all at once; no secret is shown.
"""
# ruff: noqa: RUF009 - each call in the class body returns a dataclasses.field

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from genesys_gateway.runtime.errors import PermanentFailure
from genesys_gateway.settings import environment, rules
from genesys_gateway.settings.environment import Environment, HostPort
from genesys_gateway.settings.secret import Secret, one_word, role_tokens

#: Beginnings of the fields whose variables do not start with GATEWAY_.
_WITHOUT_PREFIX = ("genesys_", "communication_history_", "database_", "otel_")
#: Stands for the default of a setting that has none and must be given.
REQUIRED = object()


class SettingsError(PermanentFailure):
    """At least one setting is wrong, so the service can't start.

    Args:
        mistakes: One line each, starting with the variable's name and without any secret.
    """

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        self.mistakes = mistakes
        count = "1 setting is wrong" if len(mistakes) == 1 else f"{len(mistakes)} settings are wrong"
        super().__init__("\n".join([f"Genesys-gateway can't start: {count}.", *(f"  {line}" for line in mistakes)]))


def _read(
    reader: Callable[[Environment, str], object], *, default: object = None, kind: object = None, hidden: bool = False
) -> Any:
    """A field with its reader. ``default`` and ``kind`` are for the reference only: how it is given, what it may be."""
    return field(metadata={"read": reader, "default": default, "kind": kind}, repr=not hidden)


def _seconds(default: float) -> Any:
    return _read(lambda env, name: env.seconds(name, default), default=default, kind="seconds")


def _number(default: float, most: float, unit: str) -> Any:
    return _read(lambda env, name: env.number(name, default, most), default=default, kind=f"{unit}, at most {most:,}")


def _whole(default: int, least: int, most: int) -> Any:
    kind = f"{least:,} to {most:,}"
    return _read(lambda env, name: env.whole(name, default, least, most), default=default, kind=kind)


def _parsed(parse: Callable[[str], object], default: str | None = None, *, hidden: bool = False) -> Any:
    return _read(lambda env, name: env.parsed(name, parse, default), default=default, kind=parse, hidden=hidden)


def _one_of(*choices: str, default: str) -> Any:
    parse = environment.one_of(*choices)
    return _read(lambda env, name: env.parsed(name, parse, default), default=default, kind=choices)


def _required(parse: Callable[[str], object]) -> Any:
    return _read(lambda env, name: env.required(name, parse), default=REQUIRED, kind=parse)


def _secret(check: Callable[[str], object], *, needed: bool = True) -> Any:
    default = REQUIRED if needed else None
    return _read(lambda env, name: env.secret(name, check, needed=needed), default=default, kind=Secret)


def _of_region(parse: Callable[[str], object], before: str) -> Any:
    """A setting whose default is derived from GENESYS_ENVIRONMENT: ``before`` followed by the region."""

    def read(env: Environment, name: str) -> object:
        region = env.parsed("GENESYS_ENVIRONMENT", environment.host)
        return env.parsed(name, parse, f"{before}{region}" if region else None)

    return _read(read, default=f"{before}<region>", kind=parse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, as read by :meth:`from_environment`. A name ends with its unit: seconds, hours, days, per minute.

    :mod:`meanings` explains each of them to operators.
    """

    #: Hosts that may be reached without TLS; always includes the names of loopback.
    plain_http_hosts: frozenset[str] = _parsed(rules.plain_http_hosts, "")
    #: Base URLs, without a slash at the end.
    genesys_login_url: str = _of_region(environment.url, "https://login.")
    genesys_api_url: str = _of_region(environment.url, "https://api.")
    #: Hosts that a ``connectUri`` may contain. A port of None is the default port of its scheme.
    genesys_streaming_hosts: tuple[HostPort, ...] = _of_region(environment.host_ports, "streaming.")
    #: ``saml2-bearer`` or ``client-credentials``; each requires other fields, see :func:`rules.check`.
    genesys_grant_type: str = _one_of("saml2-bearer", "client-credentials", default="saml2-bearer")
    genesys_client_id: str = _required(one_word)
    genesys_client_secret: Secret = _secret(one_word)
    genesys_org_name: str | None = _parsed(environment.text)
    #: The source of SAML assertions is one of three: a file, ...
    genesys_saml_assertion_file: Path | None = _parsed(environment.file)
    #: ... a URL that returns one, ...
    genesys_saml_assertion_url: str | None = _parsed(environment.address)
    genesys_saml_assertion_url_token: Secret | None = _secret(one_word, needed=False)
    #: ... or a key, with the fields below, so that the gateway signs its own.
    genesys_saml_key_file: Path | None = _parsed(environment.file)
    genesys_saml_certificate_file: Path | None = _parsed(environment.file)
    genesys_saml_issuer: str | None = _parsed(environment.text)
    genesys_saml_subject: str | None = _parsed(rules.email)
    genesys_saml_audience: str | None = _parsed(environment.text)

    #: CA certificates for all outgoing TLS; None: those of the system.
    ca_bundle: Path | None = _parsed(environment.ca_file)
    #: Hidden like a secret, because it may contain a password.
    https_proxy: str | None = _parsed(rules.proxy, hidden=True)
    #: Hosts, domains and networks that are reached without the proxy; ``*`` is all.
    no_proxy: tuple[str, ...] = _parsed(rules.words, "")

    communication_history_url: str = _required(environment.url)
    communication_history_token: Secret | None = _secret(one_word, needed=False)
    #: In SQLAlchemy's format; hidden because it may contain a password.
    database_url: str = _read(rules.database_url, default=rules.DATABASE, kind=rules.database_url, hidden=True)

    #: Address that gunicorn listens on.
    bind: str = _parsed(rules.bind, "127.0.0.1:8080")
    #: How long a caller's idle connection is kept; longer than clients keep theirs, so that no request meets its end.
    keepalive_seconds: float = _seconds(75)
    #: ``role:token`` pairs, see :func:`genesys_gateway.settings.secret.role_tokens`.
    tokens: Secret | None = _secret(role_tokens, needed=False)
    #: Tokens of this issuer are accepted as well; set all three fields or none.
    oidc_issuer: str | None = _parsed(environment.text)
    oidc_audience: str | None = _parsed(environment.text)
    oidc_jwks_url: str | None = _parsed(environment.address)
    #: 0 means no limit.
    client_rate_per_minute: int = _whole(0, 0, 1_000_000)

    channel_topics: int = _whole(1000, 1, 1000)
    #: At least 2, because one is kept free for handovers. Genesys removes a channel when a 21st is created.
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
    retry_limit_hours: float = _number(72, 8784, "hours")
    name_lookup_patience_seconds: float = _seconds(120)
    http_timeout_seconds: float = _seconds(5)
    lease_seconds: float = _seconds(20)
    retention_days: float = _number(7, 3660, "days")
    #: Counts as at least as long as the retention.
    forget_days: float = _number(400, 36_600, "days")

    #: Country (two letters) of phone numbers without a country code.
    default_country: str = _parsed(rules.country, "PH")
    #: Queue id (lower case) to the ``domain`` of its records.
    domain_by_queue: Mapping[str, str] = _parsed(rules.domains, "{}")

    log_level: str = _one_of("debug", "info", "warning", "error", "critical", default="info")
    #: ``auto`` is ``text`` where stderr is a terminal, else ``json``.
    log_format: str = _one_of("auto", "json", "text", default="auto")

    #: Where traces go, over OTLP/HTTP; None: nothing is traced. OpenTelemetry's SDK reads all other OTEL_ variables.
    otel_exporter_otlp_endpoint: str | None = _parsed(rules.traces_endpoint)

    #: Risky but allowed values, to be logged at the start.
    warnings: tuple[str, ...] = field(default=())

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read and check all settings. This opens the files that they name.

        Raises:
            SettingsError: At least one value is wrong or missing; the error lists every mistake.
        """
        env = Environment(environ)
        readers = {f.name: f.metadata["read"] for f in fields(cls) if "read" in f.metadata}
        values = {name: read(env, variable(name)) for name, read in readers.items()}
        rules.check(env, values)
        if mistakes := env.finish():
            raise SettingsError(mistakes)
        return cls(**values, warnings=env.unknown() + rules.warnings_about(values))

    def allows_plain_http_to(self, host: str) -> bool:
        """Whether http and ws, without TLS, are allowed to that host."""
        return rules.may_be_plain(host, self.plain_http_hosts)

    def bypasses_proxy(self, host: str) -> bool:
        """Whether that host is reached directly even if there is a proxy."""
        return rules.bypasses_proxy(host, self.no_proxy)


def variable(name: str) -> str:
    """Return the environment variable of a field."""
    return name.upper() if name.startswith(_WITHOUT_PREFIX) else f"GATEWAY_{name.upper()}"

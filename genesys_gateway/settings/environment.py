"""Reads environment variables as typed values, and collects all mistakes instead of stopping at the first.

Invariant: no message repeats a value, because it may hold a secret.
"""

import difflib
import re
import ssl
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar, cast
from urllib.parse import urlsplit

from environs import Env, EnvValidationError
from marshmallow.validate import Range

from genesys_gateway.settings.secret import Secret, one_word
from genesys_gateway.settings.text_file import foreign_encoding, plain

T = TypeVar("T")

#: A host, and its port or None.
HostPort = tuple[str, int | None]

#: Upper limit of every timer, in seconds. A longer one is taken for a typing error.
YEAR = 366 * 86400.0

#: So much of a file tells in which encoding it is.
_BEGINNING_BYTES = 64
_PREFIXES = ("GATEWAY_", "GENESYS_", "COMMUNICATION_HISTORY_")
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*")


class Environment(Env):
    """The environment as typed values; :meth:`finish` returns the mistakes.

    An empty or blank variable counts as not set. If a value is wrong, the method notes a mistake and returns None,
    although its return type does not say so: use the values only if :meth:`finish` returned no mistake.

    Args:
        environ: Names and values. The process's own environment is not read.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(eager=False)
        # A file of variables may begin with a byte order mark, which is then part of the first name.
        given = {plain(name): plain(value) for name, value in environ.items()}
        self._given = {name: value for name, value in given.items() if value}
        self._known: set[str] = set()
        self._mistakes: list[str] = []

    def _get_value(self, env_key: str, default: object) -> object:
        # Overridden because environs reads os.environ first.
        self._known.add(env_key)
        return self._given.get(env_key, default)

    def has(self, name: str) -> bool:
        """Whether the variable is set and not blank."""
        self._known.add(name)
        return name in self._given

    def mistake(self, name: str, message: str) -> None:
        """Note that a variable is wrong. The message continues after the variable's name: ``is missing``."""
        self._mistakes.append(f"{name} {message}")

    def finish(self) -> tuple[str, ...]:
        """Return every mistake found, sorted by variable. Nothing can be read afterwards."""
        try:
            self.seal()
        except EnvValidationError as error:
            for name, messages in cast("Mapping[str, list[str]]", error.error_messages).items():
                for message in messages:
                    self.mistake(name, _reworded(message))
        return tuple(sorted(set(self._mistakes)))

    def unknown(self) -> tuple[str, ...]:
        """Return a warning for each variable that has one of our prefixes but is not a setting."""
        names = sorted(n for n in self._given if n.startswith(_PREFIXES) and n not in self._known)
        return tuple(f"{name} is not a setting{_did_you_mean(name, self._known)}" for name in names)

    def seconds(self, name: str, default: float) -> float:
        """A duration above 0 and at most a year."""
        return self.number(name, default, most=YEAR)

    def number(self, name: str, default: float, most: float) -> float:
        """A finite number above 0 and at most ``most``."""
        limits = Range(min=0, min_inclusive=False, max=most, error="must be above 0 and at most {max}")
        return self.float(name, float(default), validate=limits)

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number from ``least`` to ``most``."""
        return self.int(name, default, validate=Range(min=least, max=most, error="must be from {min} to {max}"))

    def parsed(self, name: str, parse: Callable[[str], T], default: str | None = None) -> T | None:
        """The result of ``parse``, which raises ValueError for a wrong text; None if there is no text."""
        text = self.str(name, default)
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as error:
            self.mistake(name, str(error))
            return None

    def required(self, name: str, parse: Callable[[str], T]) -> T | None:
        """As :meth:`parsed`, but it is a mistake if the value is missing."""
        if not self.has(name):
            self.mistake(name, "is missing")
        return self.parsed(name, parse)

    def secret(self, name: str, check: Callable[[str], object] = one_word, *, needed: bool = True) -> Secret | None:
        """The secret ``X``, from the variable ``X`` or from the file named by ``X_FILE``."""
        in_file = f"{name}_FILE"
        if self.has(name) and self.has(in_file):
            self.mistake(name, f"and {in_file} are both set; give one of them")
            return None
        if self.has(in_file):
            return self.parsed(in_file, lambda path: Secret.of_file(Path(path), check))
        if needed and not self.has(name):
            self.mistake(name, f"is missing (or {in_file})")
        return self.parsed(name, lambda text: Secret.of(text, check))


def text(value: str) -> str:
    """One line of text."""
    if not value.isprintable():
        raise ValueError("must be one line of printable characters")
    return value


def host(value: str) -> str:
    """A host name or IP address, returned in lower case; brackets around an IPv6 address are removed."""
    name = value.strip().lower()
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        return str(ip_address(bare))
    except ValueError:
        if not _HOST.fullmatch(name) or len(name) > 253:
            raise ValueError("must name hosts, without scheme, port or path") from None
        return name


def hosts(value: str) -> frozenset[str]:
    """Host names, separated by commas."""
    return frozenset(host(part) for part in value.split(",") if part.strip())


def host_port(value: str) -> HostPort:
    """``host`` or ``host:port``; an IPv6 address with a port needs brackets."""
    try:
        parts = urlsplit(f"//{value.strip()}")
        port = parts.port
    except ValueError:
        raise ValueError("must be host or host:port") from None
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc or value.strip().endswith(":"):
        raise ValueError("must be host or host:port")
    return host(parts.hostname or ""), port


def host_ports(value: str) -> tuple[HostPort, ...]:
    """Several of ``host`` or ``host:port``, separated by commas."""
    return tuple(host_port(part) for part in value.split(",") if part.strip())


def url(value: str) -> str:
    """A base URL (http or https), returned without a slash at its end.

    Raises:
        ValueError: It has a query, or :func:`address` rejects it.
    """
    if "?" in value:
        raise ValueError("must not have a query or a fragment")
    return address(value).rstrip("/")


def address(value: str) -> str:
    """A complete URL (http or https), returned unchanged.

    Raises:
        ValueError: It has a user name or password, a fragment, no host, a bad port or characters that are not allowed.
    """
    if not re.fullmatch(r"[!-~]+", value) or "\\" in value:
        raise ValueError("must be a URL of visible ASCII characters")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError("must be a URL with a valid host and port") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("must be a URL that starts with https:// (or http://) and names a host")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password")
    if "#" in value:
        raise ValueError("must not have a query or a fragment")
    host(parts.hostname)
    return value


def file(value: str) -> Path:
    """A path whose file can be read now."""
    path = Path(value)
    if path.exists() and not path.is_file():
        raise ValueError(
            "names a directory, not a file" if path.is_dir() else "names something that is no regular file"
        )
    try:
        path.open("rb").close()
    except OSError as error:
        raise ValueError(f"names a file that can't be read: {error.strerror}") from error
    return path


def ca_file(value: str) -> Path:
    """A path to CA certificates that TLS can use."""
    path = file(value)
    with path.open("rb") as content:
        encoding = foreign_encoding(content.read(_BEGINNING_BYTES))
    if encoding:
        raise ValueError(f"names a file that is {encoding} text; save it as UTF-8")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise ValueError("names a file that holds no usable CA certificate") from None
    return path


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser that accepts these words in upper or lower case and returns lower case."""

    def choose(value: str) -> str:
        if value.lower() not in choices:
            raise ValueError(f"must be one of: {', '.join(choices)}")
        return value.lower()

    return choose


def _reworded(message: str) -> str:
    """A message of environs or marshmallow, changed so that it can follow the variable's name."""
    words = message.rstrip(".")
    return f"is wrong: {words[:1].lower()}{words[1:]}" if words[:1].isupper() else words


def _did_you_mean(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.8)
    return f"; did you mean {near[0]}?" if near else ""

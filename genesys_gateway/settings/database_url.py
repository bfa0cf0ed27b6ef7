"""Rules for DATABASE_URL: a SQLite file, or PostgreSQL over psycopg 3 on one server or several.

Invariant: no message contains a part of the URL, because it may hold a password.
"""

from importlib.util import find_spec

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from genesys_gateway.settings import environment

_SEVERAL = "as postgresql+psycopg://user@/database?host=a:5432&host=b:5432 (or ?host=a,b&port=5432,5432)"
_PRIMARY_ONLY = ("read-write", "primary")
#: With one server ``any`` is libpq's default.
_OF_ONE_SERVER = (*_PRIMARY_ONLY, "any")


def check_database_url(value: str) -> None:
    """Check the URL of a durable database. Raises ValueError with what is wrong."""
    try:
        parsed = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError(
            f"must be a database URL, as sqlite:///var/gateway.db; several servers are given {_SEVERAL}"
        ) from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        if parsed.database in (None, "", ":memory:") or parsed.query:
            raise ValueError("must name an SQLite file: what is only in memory is lost")
    elif parsed.drivername != "postgresql+psycopg":
        raise ValueError("must start with sqlite:/// or postgresql+psycopg://")
    elif not parsed.database:
        raise ValueError("must name the database")
    elif not find_spec("psycopg"):
        raise ValueError("needs a package that is not installed: pip install 'genesys-gateway[postgresql]'")
    else:
        _check_servers(parsed)


def _check_servers(url: URL) -> None:
    hosts, options = _hosts(url), url.query
    if any(not isinstance(value, str) for name, value in options.items() if name != "host"):
        raise ValueError("gives an option twice")
    if len(hosts) > 1 and "hostaddr" in options:
        raise ValueError("must not give hostaddr beside several hosts; give the addresses as hosts")
    wanted = options.get("target_session_attrs")
    allowed = _PRIMARY_ONLY if len(hosts) > 1 else _OF_ONE_SERVER
    if wanted is not None and wanted not in allowed:
        raise ValueError(f"must have target_session_attrs={' or '.join(allowed)}: the gateway writes")


def _hosts(url: URL) -> list[str]:
    """The hosts that SQLAlchemy gives to the driver, after comparing them with what was meant."""
    given = url.query.get("host", ())
    tokens = given if isinstance(given, tuple) else (given,)
    if tokens and url.host:
        raise ValueError(f"must name its hosts in one place; several {_SEVERAL}")
    try:
        options = url.get_dialect()().create_connect_args(url)[1]
    except (ArgumentError, ValueError, TypeError):
        raise ValueError(f"has hosts and ports that don't fit together; several servers are given {_SEVERAL}") from None
    hosts = str(options.get("host", "")).split(",")
    ports = str(options.get("port", "")).split(",")
    # SQLAlchemy drops what follows a second colon.
    if (len(tokens) > 1 and any(token.count(":") > 1 for token in tokens)) or len(ports) not in (1, len(hosts)):
        raise ValueError(f"has hosts and ports that don't fit together; several servers are given {_SEVERAL}")
    for host in hosts if hosts != [""] else ():
        _check_host(host)
    if any(port and not 0 < int(port) < 65536 for port in ports):
        raise ValueError("must have ports from 1 to 65535")
    return hosts


def _check_host(name: str) -> None:
    if name.startswith("/"):
        return  # the folder of a socket of this machine
    try:
        environment.host(name)
    except ValueError:
        raise ValueError(f"must name hosts or addresses; several servers are given {_SEVERAL}") from None

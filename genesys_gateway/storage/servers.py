"""Finds the server that can be written among those that DATABASE_URL names.

Invariant: a server that does not answer delays a connection once, not each time: the next search begins after it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import psycopg

#: Opens one connection to one server.
Connect = Callable[..., psycopg.Connection[Any]]


def number_of_hosts(options: Mapping[str, Any]) -> int:
    """Number of hosts in the options of a connection, as SQLAlchemy makes them of a URL."""
    return str(options.get("host", "")).count(",") + 1


class Servers:
    """The servers of a database, of which one is the primary; makes connections to it.

    Args:
        connect: Opens a connection to one server, or raises an error of psycopg if that is not to be used.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        #: where the next search begins: at the server that worked last, or after the one that failed last
        self._first = 0

    def connect(self, options: Mapping[str, Any]) -> psycopg.Connection[Any]:
        """Return a connection to the first server that can be used.

        Raises:
            psycopg.OperationalError: There is none; the message says about each why.
            Exception: What ``connect`` raises besides, which ends the search.
        """
        each = _options_of_each(options)
        if len(each) == 1:
            return self._connect(**options)
        failures: list[str] = []
        begin = self._first
        for place in ((begin + step) % len(each) for step in range(len(each))):
            try:
                connection = self._connect(**each[place])
            except psycopg.Error as error:
                self._leave(place, len(each))
                failures.append(f"{each[place]['host']}: {error}")
            except BaseException:
                # The caller ran out of patience here, so the next caller asks the others first.
                self._leave(place, len(each))
                raise
            else:
                self._first = place
                return connection
        raise psycopg.OperationalError("no server of DATABASE_URL can be written: " + "; ".join(failures))

    def _leave(self, place: int, servers: int) -> None:
        # Another greenlet may have found a better one meanwhile.
        if self._first == place:
            self._first = (place + 1) % servers


def _options_of_each(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    hosts = str(options.get("host", "")).split(",")
    ports = str(options.get("port", "")).split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    return [{**options, "host": host, "port": port} for host, port in zip(hosts, ports, strict=True)]

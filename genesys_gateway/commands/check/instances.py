"""Checks what several instances need of each other on PostgreSQL: that none is missing, and clocks that agree."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection

from genesys_gateway.commands.check.findings import Finding, good, wrong
from genesys_gateway.commands.output import counted
from genesys_gateway.genesys.client_key import client_key
from genesys_gateway.oversight.explanation import moment
from genesys_gateway.runtime.clock import SKEW_MS, Clock
from genesys_gateway.runtime.errors import GatewayError
from genesys_gateway.settings import Settings
from genesys_gateway.storage import database_now
from genesys_gateway.storage.operator_session import OperatorSession
from genesys_gateway.storage.statements import inspection, instances
from genesys_gateway.storage.statements.instances import InstanceFacts


@dataclass(slots=True, kw_only=True)
class Places:
    """The rights to a channel that the instances of our OAuth client hold, as far as they are known."""

    #: by instance; None if they are not in the database
    by_instance: dict[str, int] | None = field(default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    now: int
    facts: list[InstanceFacts]
    places: dict[str, int]


def inspect(settings: Settings, clock: Clock, places: Places) -> Iterator[Finding]:
    """Yield findings about instances and clocks, and set ``places``; nothing if the database can't be used."""
    if not settings.database_url.startswith("postgresql"):
        return
    client = client_key(settings)

    def read(connection: Connection) -> _Read:
        held = inspection.places(connection, client)
        return _Read(facts=instances.listed(connection), places=held, now=database_now(connection))

    try:
        with OperatorSession(settings.database_url, clock, patience_seconds=settings.http_timeout_seconds) as session:
            session.read(database_now)  # the next answer is as quick as it can be
            begun = clock.now()
            found = session.read(read)
            ended = clock.now()
    except GatewayError:
        return
    places.by_instance = found.places
    if found.facts:
        yield _instances(found)
    yield _clock(found.now, begun, ended)


def _instances(found: _Read) -> Finding:
    states = [one.state for one in found.facts]
    text = ", ".join(f"{states.count(state)} {state}" for state in ("running", "draining", "lost") if state in states)
    if missing := [_name(one, found.now) for one in found.facts if one.state == "lost"]:
        return wrong(
            "instances",
            f"{text}: {'; '.join(missing)}",
            "start it again, or another one in its place; the running ones take over its conversations",
        )
    return good("instances", text or "all have left")


def _name(one: InstanceFacts, now: int) -> str:
    at = "" if one.endpoint is None else f" at {one.endpoint}"
    return f"{one.id}{at}, whose lease ended {moment(one.lease_until, now)}"


def _clock(database_ms: int, begun: int, ended: int) -> Finding:
    ahead, behind = begun - database_ms, database_ms - ended
    differ = max(ahead, behind, 0)
    if differ <= SKEW_MS:
        return good("database clock", f"within {max(1, round(differ / 1000))} s of this machine's")
    return wrong(
        "database clock",
        f"this machine's clock is {round(differ / 1000)} s {'ahead of' if ahead > 0 else 'behind'} that of PostgreSQL",
        "let NTP set both: what is stored goes by PostgreSQL's, assertions and callers' JWTs by this machine's",
    )


def held(places: Places) -> str:
    """The places of our OAuth client as the end of a sentence; empty if they are not known."""
    if places.by_instance is None:
        return ""
    total = sum(places.by_instance.values())
    return f"; {counted(len(places.by_instance), 'instance')} of this client hold {counted(total, 'place')} for them"

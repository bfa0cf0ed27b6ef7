"""The faults that the demo switches on, one after the other, as data.

Each names the trouble that the dashboard shows meanwhile. The other troubles are left out: they need a second instance,
stay for an hour, or must never happen.
"""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from genesys_gateway.simulator.demo.clients import ContactCentre, Operators
from genesys_gateway.simulator.demo.guests import Guests
from genesys_gateway.simulator.demo.identity_provider import IdentityProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that a fault can reach."""

    contact_centre: ContactCentre
    identity_provider: IdentityProvider
    operators: Operators
    guests: Guests
    #: the gateway's SQLite file
    database: Path
    #: what has to be undone in this process at the end of the fault
    undo: ExitStack = field(default_factory=ExitStack)


Act = Callable[[Scene], None]
Call = tuple[str, str, Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault."""

    title: str
    #: how long it lasts
    seconds: float
    #: the trouble that the dashboard shows meanwhile; None: none, because nothing is wrong
    code: str | None
    begin: Act
    #: what there is to see
    hint: str
    #: done when it is over, after :func:`all_well`
    afterwards: Act | None = None


def all_well(scene: Scene) -> None:
    """Switch off everything that is on. Raises DemoFailed."""
    scene.undo.close()
    scene.identity_provider.recover()
    _switch_off(scene)


def _calls(*calls: Call) -> Act:
    """Make these calls of the simulator's control API."""

    def act(scene: Scene) -> None:
        for method, path, body in calls:
            scene.contact_centre.control(method, path, body)

    return act


def _fault(name: str, **details: object) -> Call:
    return "POST", "/faults", {"name": name, **details}


def _receiver(mode: str, **details: object) -> Call:
    return "POST", "/history/mode", {"mode": mode, **details}


_REVOKE: Call = ("POST", "/tokens/revoke", {})
_switch_off = _calls(("DELETE", "/faults", {}), _receiver("ok"))

#: Records of these agents are refused, with this status.
_REFUSED_AGENTS, _REFUSAL = ("Maria Cruz", "Agent 003", "Agent 007"), 422
_refuse_some = _calls(_receiver("ok", rules=[{"mode": f"{_REFUSAL}", "containing": one} for one in _REFUSED_AGENTS]))
#: Customers who call at once: more than the channels have places for.
_RUSH = 150


def _send_again(scene: Scene) -> None:
    scene.operators.requeue(f"HTTP {_REFUSAL}")


def _give_no_assertion(scene: Scene) -> None:
    scene.identity_provider.fail()
    _calls(_fault("answer", status=400, path="/oauth/token", body={"error": "invalid_grant"}), _REVOKE)(scene)


def _lock_database(scene: Scene) -> None:
    """Take the database's lock for writing, as a tool would that somebody has left open."""
    tool = scene.undo.enter_context(closing(sqlite3.connect(scene.database, isolation_level=None)))
    tool.execute("PRAGMA busy_timeout = 5000")
    tool.execute("BEGIN IMMEDIATE")


FAULTS = (
    Fault(
        title="CommunicationHistory is down",
        seconds=40,
        code="receiver_down",
        begin=_calls(_receiver("down")),
        hint="records wait on the gateway's disk; all are sent when it is back",
    ),
    Fault(
        title="Genesys closes every WebSocket and refuses new ones",
        seconds=30,
        code="uncovered",
        begin=_calls(_fault("refuse_upgrade", status=503), _fault("socket_drop")),
        hint="what ended meanwhile is found over REST afterwards",
    ),
    Fault(
        title=f"CommunicationHistory refuses the records of {len(_REFUSED_AGENTS)} agents",
        seconds=60,
        code="records_dead",
        begin=_refuse_some,
        afterwards=_send_again,
        hint="look at them among the dead letters; at the end the demo sends them again",
    ),
    Fault(
        title="Genesys forbids the gateway to read conversations",
        seconds=30,
        code="reads_forbidden",
        begin=_calls(
            _fault("answer", status=403, method="GET", path="/api/v2/conversations/*"),
            _fault("answer", status=403, method="GET", path="/api/v2/analytics/*"),
        ),
        hint="events still arrive; no conversation is closed until it may read again",
    ),
    Fault(
        title="Genesys announces that it closes every channel",
        seconds=20,
        code=None,
        begin=_calls(_fault("closing_notice", afterSeconds=30)),
        hint="each channel is handed over to a successor, without a moment uncovered",
    ),
    Fault(
        title="Genesys answers every call with 429: too many",
        seconds=30,
        code="calls_exhausted",
        begin=_calls(_fault("rate_storm", retryAfter=5)),
        hint="new conversations wait for their subscription; no event of the others is lost",
    ),
    Fault(
        title="Genesys's login fails, and the token is revoked",
        seconds=30,
        code="no_token",
        begin=_calls(_fault("answer", status=503, path="/oauth/token"), _REVOKE),
        hint="registrations are still taken and stored",
    ),
    Fault(
        title="CommunicationHistory accepts the gateway's token no longer",
        seconds=30,
        code="receiver_misdeployed",
        begin=_calls(_receiver("ok", token="another")),  # noqa: S106 - any but the gateway's
        hint="delivery pauses and tries one record now and then; none is given up",
    ),
    Fault(
        title="The identity provider gives no assertion, and Genesys takes no older one",
        seconds=30,
        code="assertion_stale",
        begin=_give_no_assertion,
        hint="the gateway can't log in until there is a fresh one",
    ),
    Fault(
        title="CommunicationHistory refuses every record",
        seconds=45,
        code="receiver_refuses",
        begin=_calls(_receiver(f"{_REFUSAL}")),
        hint="after ten refusals in a row delivery pauses, so that none is given up",
    ),
    Fault(
        title=f"A rush: {_RUSH} customers call at once",
        seconds=30,
        code="channels_full",
        begin=lambda scene: scene.guests.rush(_RUSH),
        hint="the newest wait for a place on a channel; none is refused, none is lost",
    ),
    Fault(
        title="Somebody has locked the database",
        seconds=14,
        code="disk_refuses",
        begin=_lock_database,
        hint="registrations get 503 and BOFE repeats them; events wait in memory",
    ),
)

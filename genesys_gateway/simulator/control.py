"""The control API under `/_sim`: start and end calls, change settings, break things, read what really happened.

The docstrings of its handlers are the descriptions that `GET /_sim` lists.

Invariant: it is used by tests and people, never by the client under test. It needs no credentials, and no fault
affects it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from genesys_gateway.simulator import actions, disruptions
from genesys_gateway.simulator.clock import iso
from genesys_gateway.simulator.errors import ControlError
from genesys_gateway.simulator.faults import CATALOGUE
from genesys_gateway.simulator.oauth import ALL_PERMISSIONS, CREDENTIALS_GRANT, SAML_GRANT, Client
from genesys_gateway.simulator.parameters import check_parameters
from genesys_gateway.simulator.receiver import MODES
from genesys_gateway.simulator.traffic_plan import TrafficPlan
from genesys_gateway.simulator.wire import Answer, Request, Router
from genesys_gateway.simulator.world import World

#: Called with the world, the body as an object, the request, and the parameters of the path.
Handler = Callable[[World, Mapping[str, Any], Request, Mapping[str, str]], Answer]

ROUTES: Router[Handler] = Router()
_INDEX: list[str] = []


def _route(method: str, template: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        ROUTES.add(method, template, handler)
        _INDEX.append(f"{method} {template}: {handler.__doc__}")
        return handler

    return register


def call(world: World, request: Request) -> Answer:
    """Carry out one control call. Raises ControlError, with a sentence for the tester, if the call is invalid."""
    found = ROUTES.find(request.path)
    if found is None:
        raise ControlError("no such control; GET /_sim lists them", status=404)
    methods, parameters = found
    handler = methods.get(request.method)
    if handler is None:
        raise ControlError(f"only {', '.join(methods)} here", status=405)
    try:
        body = request.json() or {}
    except ValueError:
        raise ControlError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise ControlError("the body has to be a JSON object")
    check_parameters(request.method, request.path, body)
    try:
        return handler(world, body, request, parameters)
    except (TypeError, ValueError, KeyError) as error:
        raise ControlError(f"that body makes no sense here: {error!r}") from error


@_route("GET", "/_sim")
def _index(_: World, __: Mapping[str, Any], ___: Request, ____: Mapping[str, str]) -> Answer:
    """this list"""
    return Answer(body={"controls": _INDEX})


@_route("GET", "/_sim/state")
def _state(world: World, _: Mapping[str, Any], __: Request, ___: Mapping[str, str]) -> Answer:
    """the world in numbers; answers as soon as the simulator is ready"""
    channels = world.channels.by_id.values()
    return Answer(
        body={
            "now": iso(world.clock.wall()),
            "speed": world.clock.speed,
            "conversations": len(world.contact_centre.conversations),
            "finishedAcw": len(world.ledger.finished),
            "records": len(world.receiver.records),
            "channels": len(channels),
            "sockets": sum(channel.sender is not None for channel in channels),
            "topics": sum(len(channel.topics) for channel in channels),
            "listenedTopics": sum(len(channel.topics) for channel in channels if channel.sender is not None),
            "tokens": len(world.login.tokens),
            "calls": world.ledger.calls_total,
            "faults": [fault.as_json() for fault in world.faults.active()],
            "traffic": world.traffic.numbers(),
        }
    )


@_route("POST", "/_sim/reset")
def _reset(world: World, _: Mapping[str, Any], __: Request, ___: Mapping[str, str]) -> Answer:
    """forget everything, settings, clients and faults included"""
    world.reset()
    return Answer(body={"reset": True})


# --- conversations ---------------------------------------------------------------------------------------------


@_route("POST", "/_sim/conversations")
def _start(world: World, body: Mapping[str, Any], _: Request, __: Mapping[str, str]) -> Answer:
    """an agent is on the line with a customer; `count` starts many at once"""
    if "count" in body:
        return Answer(
            status=201, body={"conversations": [actions.start(world, body) for _ in range(int(body["count"]))]}
        )
    return Answer(status=201, body=actions.start(world, body))


@_route("GET", "/_sim/conversations")
def _conversations(world: World, _: Mapping[str, Any], __: Request, ___: Mapping[str, str]) -> Answer:
    """every conversation in short"""
    return Answer(body={"conversations": [actions.summary(c) for c in world.contact_centre.conversations.values()]})


@_route("POST", "/_sim/conversations/{id}/{play}")
def _conversation_action(world: World, body: Mapping[str, Any], _: Request, path: Mapping[str, str]) -> Answer:
    """wrapup, code, leg, draft, skip, transfer, consult, third, end, reopen, resume, correct or announce"""
    action = actions.ACTIONS.get(path["play"])
    if action is None:
        raise ControlError(f"no such play; there are {', '.join(actions.ACTIONS)}", status=404)
    return Answer(body=action(world, world.contact_centre.get(path["id"].lower()), body))


@_route("POST", "/_sim/wrapup-all")
def _wrapup_all(world: World, body: Mapping[str, Any], _: Request, __: Mapping[str, str]) -> Answer:
    """wrap up every agent who can be, `perSecond` of them a second; answers at once"""
    return Answer(status=202, body={"count": actions.wrap_up_all(world, body)})


# --- traffic ---------------------------------------------------------------------------------------------------


@_route("POST", "/_sim/traffic")
def _start_traffic(world: World, body: Mapping[str, Any], _: Request, __: Mapping[str, str]) -> Answer:
    """play traffic: perMinute, seconds, talkSeconds, spread, acwSeconds, standing, lasting, agents, notify …"""
    world.traffic.start(TrafficPlan.of(body))
    return Answer(status=201, body=world.traffic.as_json())


@_route("GET", "/_sim/traffic")
def _traffic(world: World, _: Mapping[str, Any], __: Request, ___: Mapping[str, str]) -> Answer:
    """the traffic in numbers, and its parameters"""
    return Answer(body=world.traffic.as_json())


@_route("DELETE", "/_sim/traffic")
def _stop_traffic(world: World, body: Mapping[str, Any], _: Request, __: Mapping[str, str]) -> Answer:
    """begin no more conversations; those that go on still end, unless `abandon`"""
    world.traffic.stop(abandon=bool(body.get("abandon", False)))
    return Answer(body=world.traffic.as_json())


# --- the communication history ---------------------------------------------------------------------------------


@_route("GET", "/_sim/history")
def _history(world: World, _: Mapping[str, Any], __: Request, ___: Mapping[str, str]) -> Answer:
    """the records that were stored, in order, and every attempt"""
    return Answer(body={"records": world.receiver.records, "attempts": world.receiver.attempts})


@_route("POST", "/_sim/history/mode")
def _history_mode(world: World, body: Mapping[str, Any], _: Request, __: Mapping[str, str]) -> Answer:
    """how the receiver answers from now on: mode, deduplicate, lookup, count, ids, retryAfter, token …"""
    world.receiver.set_behaviour(body)
    return Answer(body={"mode": world.receiver.behaviour.mode})


@_route("GET", "/_sim/history/mode")
def _history_modes(world: World, _: Mapping[str, Any], __: Request, ___: Mapping[str, str]) -> Answer:
    """the mode it is in, and all there are"""
    return Answer(body={"mode": world.receiver.behaviour.mode, "modes": dict(MODES), "also": "any status code"})


# --- channels, tokens, clients, names --------------------------------------------------------------------------


@_route("GET", "/_sim/channels")
def _channels(world: World, _: Mapping[str, Any], __: Request, ___: Mapping[str, str]) -> Answer:
    """every channel with its topics"""
    return Answer(
        body=[
            {
                "id": channel.id,
                "connected": channel.sender is not None,
                "topics": list(channel.topics),
                "expires": world.channels.expires_iso(channel),
                "client": channel.token.client.id,
                "framesWritten": channel.sender.frames_written if channel.sender else 0,
            }
            for channel in world.channels.by_id.values()
        ]
    )


@_route("POST", "/_sim/channels/{id}/{deed}")
def _channel_action(world: World, body: Mapping[str, Any], _: Request, path: Mapping[str, str]) -> Answer:
    """close (with or without notice), drop, evict, expire, lose-topics, take-topic or send"""
    return Answer(body=disruptions.disrupt_channels(world, path["id"], path["deed"], body))


@_route("POST", "/_sim/tokens/revoke")
def _revoke(world: World, _: Mapping[str, Any], __: Request, ___: Mapping[str, str]) -> Answer:
    """revoke every token"""
    return Answer(body=disruptions.disrupt_now(world, "revoked_token", {}))


@_route("POST", "/_sim/clients")
def _client(world: World, body: Mapping[str, Any], _: Request, __: Mapping[str, str]) -> Answer:
    """an OAuth client: id, secret, grant (saml2-bearer or client-credentials), permissions, missing permissions"""
    grants = {None: None, "saml2-bearer": SAML_GRANT, "client-credentials": CREDENTIALS_GRANT}
    permissions = frozenset(body.get("permissions", ALL_PERMISSIONS)) - frozenset(body.get("missing", ()))
    client = Client(
        id=str(body["id"]), secret=str(body["secret"]), grant=grants[body.get("grant")], permissions=permissions
    )
    world.login.clients[client.id] = client
    return Answer(status=201, body={"id": client.id, "permissions": sorted(permissions)})


@_route("POST", "/_sim/users")
def _user(world: World, body: Mapping[str, Any], _: Request, __: Mapping[str, str]) -> Answer:
    """a user's name: id, name (null: deleted)"""
    _name(world, world.contact_centre.users, body)
    return Answer(status=201, body={"id": body["id"]})


@_route("POST", "/_sim/wrapup-codes")
def _wrapup_code(world: World, body: Mapping[str, Any], _: Request, __: Mapping[str, str]) -> Answer:
    """a wrap-up code's name: id, name (null: deleted)"""
    _name(world, world.contact_centre.wrapup_codes, body)
    return Answer(status=201, body={"id": body["id"]})


def _name(world: World, names: dict[str, str], body: Mapping[str, Any]) -> None:
    identity, name = str(body["id"]).lower(), body["name"]
    world.contact_centre.nameless.discard(identity)
    if name is None:
        world.contact_centre.nameless.add(identity)
    names[identity] = str(name or "")


# --- settings, clock, faults, ledger ---------------------------------------------------------------------------


@_route("GET", "/_sim/settings")
def _settings(world: World, _: Mapping[str, Any], __: Request, ___: Mapping[str, str]) -> Answer:
    """every setting"""
    return Answer(body=world.options.as_json())


@_route("PATCH", "/_sim/settings")
def _change_settings(world: World, body: Mapping[str, Any], _: Request, __: Mapping[str, str]) -> Answer:
    """change settings, e.g. heartbeatSeconds, tokenSeconds, channelSeconds, analyticsLagSeconds"""
    world.options.change(body)
    return Answer(body=world.options.as_json())


@_route("GET", "/_sim/clock")
def _clock(world: World, _: Mapping[str, Any], __: Request, ___: Mapping[str, str]) -> Answer:
    """how fast time passes"""
    clock = world.clock
    return Answer(body={"speed": clock.speed, "virtualSeconds": clock.virtual(), "wall": iso(clock.wall())})


@_route("POST", "/_sim/clock")
def _set_clock(world: World, body: Mapping[str, Any], request: Request, path: Mapping[str, str]) -> Answer:
    """speed (1440: a day in a minute) and advance (seconds to jump at once)"""
    speed, advance = float(body.get("speed", world.clock.speed)), float(body.get("advance", 0))
    if speed <= 0 or advance < 0:
        raise ControlError("speed is above 0, and time only goes forward")
    world.clock.set_speed(speed)
    world.clock.advance(advance)
    return _clock(world, body, request, path)


@_route("GET", "/_sim/faults")
def _faults(world: World, _: Mapping[str, Any], __: Request, ___: Mapping[str, str]) -> Answer:
    """faults that are on, all that can be, and those that happen at once"""
    on = [fault.as_json() for fault in world.faults.active()]
    return Answer(body={"on": on, "all": dict(CATALOGUE), "atOnce": list(disruptions.IMMEDIATE_NAMES)})


@_route("POST", "/_sim/faults")
def _fault_on(world: World, body: Mapping[str, Any], _: Request, __: Mapping[str, str]) -> Answer:
    """switch a fault on: name, its parameters, count, seconds, and whom it meets (method, path, channel, topic)"""
    name = str(body.get("name"))
    if name in disruptions.IMMEDIATE_NAMES:
        done = disruptions.disrupt_now(world, name, body)
    else:
        done = world.faults.switch_on(name, body).as_json()
    world.ledger.faults.append({"at": world.clock.wall(), **done})
    return Answer(status=201, body=done)


@_route("DELETE", "/_sim/faults")
def _faults_off(world: World, _: Mapping[str, Any], __: Request, ___: Mapping[str, str]) -> Answer:
    """switch all faults off"""
    world.faults.clear()
    return Answer(body={"on": []})


@_route("DELETE", "/_sim/faults/{id}")
def _fault_off(world: World, _: Mapping[str, Any], __: Request, path: Mapping[str, str]) -> Answer:
    """switch one fault off"""
    if not path["id"].isdecimal() or not world.faults.switch_off(int(path["id"])):
        raise ControlError("that fault is not on", status=404)
    return Answer(body={"off": int(path["id"])})


@_route("GET", "/_sim/ledger")
def _ledger(world: World, _: Mapping[str, Any], request: Request, __: Mapping[str, str]) -> Answer:
    """what really happened; `part` limits it to finished, records, calls, sockets, conversations …"""
    parts: dict[str, Callable[[], Any]] = {**world.ledger.parts(), "records": lambda: world.receiver.records}
    part = request.one("part")
    if part and part not in parts:
        raise ControlError(f"no such part; there are {', '.join(parts)}")
    return Answer(body={name: read() for name, read in parts.items() if part in ("", name)})


@_route("GET", "/_sim/balance")
def _balance(world: World, _: Mapping[str, Any], __: Request, ___: Mapping[str, str]) -> Answer:
    """expected, stored once, doubled, lost: what `verify` prints"""
    return Answer(body=actions.balance(world))

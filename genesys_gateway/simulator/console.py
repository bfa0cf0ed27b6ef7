"""The console page at `/`: shows the state, and lets a person start, transfer, wrap up and end calls, play traffic, and
break things.

Invariant: every button is a plain form that works without JavaScript; the script only avoids reloading the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, select_autoescape

from genesys_gateway.simulator import actions, disruptions
from genesys_gateway.simulator.errors import ControlError
from genesys_gateway.simulator.faults import CATALOGUE
from genesys_gateway.simulator.receiver import MODES
from genesys_gateway.simulator.traffic_plan import TrafficPlan
from genesys_gateway.simulator.wire import Answer, Request
from genesys_gateway.simulator.world import World

_PAGES = Path(__file__).parent / "pages"
_TEMPLATES = Environment(loader=FileSystemLoader(_PAGES), autoescape=select_autoescape())
_ASSETS = {"console.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; form-action 'self'",
    "Cache-Control": "no-store",
}
#: Maximum number of conversations and of records on the page; the control API returns all.
_MAX_ROWS = 30
_SPEEDS = (1, 60, 1440)
#: Parameters of traffic that have a field; the control API knows more.
_TRAFFIC = ("perMinute", "seconds", "talkSeconds", "acwSeconds", "standing")
#: How the page calls the numbers of the traffic.
_TRAFFIC_NUMBERS = {
    "Begun": "begun",
    "Talking": "goingOn",
    "Wrapping up": "inAcw",
    "Finished": "finished",
    "Registered": "registered",
    "Waiting": "waiting",
    "Failed": "failed",
}

Form = Mapping[str, str]


def answer(world: World, request: Request) -> Answer:
    """Answer with the page, its live part or an asset, or carry out a button."""
    name = request.path.removeprefix("/console/")
    if request.method == "POST" and name == "do":
        return _press(world, request)
    if request.method not in ("GET", "HEAD"):
        return Answer(status=405, headers={"Allow": "GET"})
    if request.path == "/":
        return _page("console.html", world, said=request.one("said"))
    if name == "live":
        return _page("live.html", world)
    if name in _ASSETS:
        return Answer(body=(_PAGES / name).read_bytes(), headers=_HEADERS, content_type=_ASSETS[name])
    return Answer(status=404, body={"error": "no such page"})


def _page(template: str, world: World, **more: object) -> Answer:
    html = _TEMPLATES.get_template(template).render(
        media=actions.MEDIA,
        directions=actions.DIRECTIONS,
        faults=CATALOGUE,
        modes=MODES,
        speeds=_SPEEDS,
        plan=TrafficPlan().as_json(),
        traffic_names=_TRAFFIC_NUMBERS,
        codes=world.contact_centre.wrapup_codes,
        **_live(world),
        **more,
    )
    return Answer(body=html.encode(), headers=_HEADERS, content_type="text/html; charset=utf-8")


def _live(world: World) -> dict[str, Any]:
    conversations = list(world.contact_centre.conversations.values())
    channels = list(world.channels.by_id.values())
    return {
        "conversations": conversations[: -_MAX_ROWS - 1 : -1],
        "conversation_count": len(conversations),
        "channels": channels,
        "sockets": sum(channel.sender is not None for channel in channels),
        "active_faults": world.faults.active(),
        "records": world.receiver.records[: -_MAX_ROWS - 1 : -1],
        "record_count": len(world.receiver.records),
        "receiver_mode": world.receiver.behaviour.mode,
        "balance": actions.recent_balance(world),
        "speed": world.clock.speed,
        "traffic": world.traffic.numbers(),
    }


def _press(world: World, request: Request) -> Answer:
    """Carry out one button, and redirect to the page with a sentence about the result."""
    # Pages of other sites must not press buttons here.
    if request.header("Sec-Fetch-Site") not in ("", "same-origin", "none"):
        return Answer(status=403, body={"error": "only from this page"})
    form = request.form()
    button = _BUTTONS.get(form.get("do", ""))
    try:
        if button is None:
            raise ControlError("there is no such button")
        said = button(world, form)
    except (ControlError, ValueError, KeyError) as error:
        said = f"Not done: {error}"
    return Answer(status=303, headers={"Location": f"/?{urlencode({'said': said})}"})


def _start(world: World, form: Form) -> str:
    wanted = {name: value for name, value in form.items() if value and name != "do"}
    started = actions.start(world, wanted)
    return f"Conversation {started['conversationId']} is on the line."


def _conversation(world: World, form: Form) -> str:
    conversation = world.contact_centre.get(form["conversation"])
    body = {name: form[name] for name in ("participantId", "code", "notes") if form.get(name)}
    actions.ACTIONS[form["play"]](world, conversation, body)
    return f"{form['play'].capitalize()}: done for {conversation.id}."


def _traffic(world: World, form: Form) -> str:
    wanted: dict[str, object] = {name: _number(form[name]) for name in _TRAFFIC if form.get(name)}
    if url := form.get("notify"):
        wanted["notify"] = url if "://" in url else f"http://{url}"
    world.traffic.start(TrafficPlan.of(wanted))
    return "Traffic begins."


def _traffic_off(world: World, _: Form) -> str:
    world.traffic.stop()
    return "No more conversations begin; those that go on still end."


def _number(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() else number


def _channel(world: World, form: Form) -> str:
    action, notice = form["deed"].partition("+")[::2]
    disruptions.disrupt_channels(world, form["channel"], action, {"notice": notice == "notice"})
    return f"{action.capitalize()}: done to {form['channel']}."


def _fault(world: World, form: Form) -> str:
    seconds = float(form.get("seconds") or 10)
    world.faults.switch_on(form["name"], {"seconds": seconds})
    return f"{form['name']} is on for {seconds:g} s."


def _fault_off(world: World, form: Form) -> str:
    return "It is off." if world.faults.switch_off(int(form["id"])) else "It was off already."


def _receiver(world: World, form: Form) -> str:
    world.receiver.set_behaviour({"mode": form["mode"]})
    return f"The communication history is now: {form['mode']}."


def _speed(world: World, form: Form) -> str:
    speed = float(form["speed"])
    if speed not in _SPEEDS:
        raise ControlError("that speed is not offered")
    world.clock.set_speed(speed)
    return f"Time passes {speed:g} times as fast."


def _reset(world: World, _: Form) -> str:
    world.reset()
    return "Everything is as at the start."


_BUTTONS: Mapping[str, Callable[[World, Form], str]] = {
    "start": _start,
    "play": _conversation,
    "traffic": _traffic,
    "traffic-off": _traffic_off,
    "channel": _channel,
    "fault": _fault,
    "fault-off": _fault_off,
    "receiver": _receiver,
    "speed": _speed,
    "reset": _reset,
}

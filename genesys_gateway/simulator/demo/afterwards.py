"""What is shown when the conversations are over: what was stored, how each ended, what it cost, what can be tried."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import uuid4

from genesys_gateway.simulator.demo.parties import Json
from genesys_gateway.simulator.demo.screen import Screen
from genesys_gateway.simulator.demo.stage import Stage

_KINDS = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        ("^/oauth/token$", "token"),
        ("^/api/v2/notifications/.*/subscriptions$", "subscription"),
        ("^/api/v2/notifications/", "channel"),
        ("^/api/v2/(analytics/)?conversations/", "conversation"),
        ("^/api/v2/users/", "agent's name"),
        ("^/api/v2/routing/wrapupcodes/", "wrap-up code's name"),
        ("^/api/", "other"),
    )
)


def show_records(screen: Screen, records: Sequence[Json]) -> None:
    """The communication history as a table."""
    screen.heading("Stored by CommunicationHistory")
    fields = ("channel", "direction", "customerHandle", "purpose", "title")
    rows = [(record["interactionId"][:8], *(str(record[name]) for name in fields)) for record in records]
    screen.table(("interaction", *fields), rows)


def show_conversations(screen: Screen, views: Sequence[Json]) -> None:
    """What the gateway says of each."""
    screen.heading("Known to the gateway")
    rows = [
        (
            view["interactionId"][:8],
            view["state"],
            str(view["outcome"]),
            ", ".join(f"{record['id'][:8]} {record['state']}" for record in view["records"]),
        )
        for view in views
    ]
    screen.table(("interaction", "state", "outcome", "records"), rows)


def show_cost(screen: Screen, calls: Sequence[Json]) -> None:
    """How many calls to Genesys all this took."""
    kinds = Counter(kind for call in calls if (kind := _kind(call["path"])))
    told = ", ".join(f"{times} {kind}" for kind, times in sorted(kinds.items()))
    screen.heading(f"Calls to Genesys: {kinds.total()}")
    screen.say(f"  {told}")


def show_verdict(screen: Screen, announced: Sequence[str], outcomes: Mapping[str, str], missing: Sequence[str]) -> None:
    """All arrived, or what did not."""
    screen.say("")
    if not missing:
        records, conversations = len(announced), len(outcomes)
        screen.success(f"{records} of {records} records arrived, each exactly once.")
        screen.success(f"{conversations} of {conversations} conversations are closed as logged.")
    for line in missing:
        screen.trouble(f"Missing: {line}")


def invite(screen: Screen, stage: Stage, interaction_id: str) -> None:
    """Say what can be tried while everything goes on running."""
    gateway, simulator = stage.gateway_url, stage.simulator_url
    screen.heading("Everything goes on running until Ctrl-C. Try, in another terminal:")
    text = f"""
  AUTH="Authorization: Bearer {stage.token}"

  # what the gateway knows of the last conversation
  curl -s -H "$AUTH" {gateway}/customers/supportInteraction/{interaction_id} | python3 -m json.tool

  # one of your own: an agent is on the line, BOFE registers it, the agent wraps it up, the customer goes
  C={uuid4()}
  curl -s {simulator}/_sim/conversations -d "{{\\"conversationId\\": \\"$C\\", \\"mediaType\\": \\"VOICE\\"}}"
  curl -s -H "$AUTH" -H "Content-Type: application/json" {gateway}/customers/supportInteraction \\
       -d "{{\\"customerId\\": \\"{uuid4()}\\", \\"interactionId\\": \\"$C\\"}}"
  curl -s -X POST {simulator}/_sim/conversations/$C/wrapup
  curl -s -X POST {simulator}/_sim/conversations/$C/end

  # the contact centre's console, in a browser: start a call, transfer it, wrap it up, break something
  {simulator}/

  # what was stored, what else the simulator can do, the gateway's numbers
  curl -s {simulator}/_sim/history | python3 -m json.tool
  curl -s {simulator}/_sim | python3 -m json.tool
  curl -s {gateway}/metrics | grep ^genesys_gateway_
"""
    screen.say(text.rstrip())


def _kind(path: str) -> str | None:
    """What a call was for; None for one that was not for Genesys."""
    return next((kind for fits, kind in _KINDS if fits.search(path)), None)

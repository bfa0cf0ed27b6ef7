"""Prints the summary of the demo: stored records, outcomes, calls to Genesys, and what to try next."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import uuid4

from genesys_gateway.simulator.demo.clients import Json
from genesys_gateway.simulator.demo.deployment import Deployment
from genesys_gateway.simulator.demo.screen import Screen

#: Kind of a call to Genesys by its path; the first match counts.
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
    """Print the stored records as a table."""
    screen.heading("Stored by CommunicationHistory")
    fields = ("channel", "direction", "customerHandle", "purpose", "title")
    rows = [(record["interactionId"][:8], *(str(record[name]) for name in fields)) for record in records]
    screen.table(("interaction", *fields), rows)


def show_conversations(screen: Screen, views: Sequence[Json]) -> None:
    """Print the gateway's view of each conversation as a table."""
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
    """Print the number of calls to Genesys, by kind."""
    kinds = Counter(kind for call in calls if (kind := _kind(call["path"])))
    screen.heading(f"Calls to Genesys: {kinds.total()}")
    screen.line("  " + ", ".join(f"{times} {kind}" for kind, times in sorted(kinds.items())))


def show_result(screen: Screen, announced: Sequence[str], outcomes: Mapping[str, str], problems: Sequence[str]) -> None:
    """Print that everything arrived, or each problem."""
    screen.line("")
    if not problems:
        records, conversations = len(announced), len(outcomes)
        screen.success(f"{records} of {records} records arrived, each exactly once.")
        screen.success(f"{conversations} of {conversations} conversations are closed as logged.")
    for problem in problems:
        screen.error(f"Problem: {problem}")


def show_suggestions(screen: Screen, deployment: Deployment, interaction_id: str) -> None:
    """Print commands to try while simulator and gateway keep running."""
    deployment.show_dashboard()
    gateway, simulator = deployment.gateway_url, deployment.simulator_url
    screen.heading("Simulator and gateway run until Ctrl-C. Try, in another terminal:")
    text = f"""
  AUTH="Authorization: Bearer {deployment.token}"

  # what the gateway knows about the last conversation
  curl -s -H "$AUTH" {gateway}/customers/supportInteraction/{interaction_id} | python3 -m json.tool

  # your own conversation: it starts, BOFE registers it, the agent wraps it up, the customer hangs up
  C={uuid4()}
  curl -s {simulator}/_sim/conversations -d "{{\\"conversationId\\": \\"$C\\", \\"mediaType\\": \\"VOICE\\"}}"
  curl -s -H "$AUTH" -H "Content-Type: application/json" {gateway}/customers/supportInteraction \\
       -d "{{\\"customerId\\": \\"{uuid4()}\\", \\"interactionId\\": \\"$C\\"}}"
  curl -s -X POST {simulator}/_sim/conversations/$C/wrapup
  curl -s -X POST {simulator}/_sim/conversations/$C/end

  # the contact centre's console, in a browser: start a call, transfer it, wrap it up, break something
  {simulator}/

  # the stored records, the simulator's other functions, the gateway's metrics
  curl -s {simulator}/_sim/history | python3 -m json.tool
  curl -s {simulator}/_sim | python3 -m json.tool
  curl -s {gateway}/metrics | grep ^genesys_gateway_
"""
    screen.line(text.rstrip())


def _kind(path: str) -> str | None:
    """The kind of a call; None if it was not a call to Genesys."""
    return next((kind for fits, kind in _KINDS if fits.search(path)), None)

"""Two instances with OAuth clients of their own: 38,000 conversations subscribed, each within its own budget."""

import time
from collections import Counter

from tests.acceptance import several
from tests.harness import judge
from tests.harness.instances import Instances, on_one_database
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage

SECONDS = 3600
_CLIENTS = ("simulator-client", "second-client")
_SECRETS = ("simulator-secret", "second-secret")
#: Channels of one client that serve conversations; the 20th is kept for handovers.
_CHANNELS = 19
_FINISHED = 200
_COVERED_SECONDS = 60.0


def play(stage: Stage) -> None:
    """Registrations go to both in turn; then, with a new database, all to one, which has room for half of them."""
    _play_variant(stage, "in turn", None)
    _play_variant(stage, "all at one", 0)


def _play_variant(stage: Stage, variant: str, at: int | None) -> None:
    topics = stage.scale.of(full=1000, fast=100, small=10)
    simulator = stage.simulator()
    simulator.control("POST", "/clients", {"id": _CLIENTS[1], "secret": _SECRETS[1]})
    own = [
        {"GENESYS_CLIENT_ID": client, "GENESYS_CLIENT_SECRET": secret}
        for client, secret in zip(_CLIENTS, _SECRETS, strict=True)
    ]
    folder = variant.replace(" ", "-")
    settings = {"GATEWAY_CHANNEL_TOPICS": topics, **several.settings(stage)}
    instances = on_one_database(stage, simulator, 2, settings, own, folder=folder)
    if instances is None:
        return
    instances.start()
    sessions = simulator.start_many(2 * _CHANNELS * topics)
    begun = time.monotonic()
    instances.register_all(sessions, at=at)
    registered = time.monotonic() - begun
    took = simulator.wait_covered(sessions, _COVERED_SECONDS)
    stage.report.note(f"{variant}: {len(sessions)} registered in {registered:.0f} s")
    text = f"{variant}: all {len(sessions)} are subscribed"
    stage.report.claim(text, took is not None, f"{took or -1:.1f} s after the last registration")
    _claim_budgets(stage, simulator, variant, topics)
    _claim_shown(stage, instances, sessions, variant)
    simulator.finish_all(sessions[:: max(1, len(sessions) // _FINISHED)])
    several.claim_nothing_lost(stage, instances, 60, most=2 * 20)
    for instance in instances:
        instance.gateway.close()


def _claim_budgets(stage: Stage, simulator: Simulator, variant: str, topics: int) -> None:
    found: Counter[str] = Counter()
    for channel in simulator.channels():
        if channel["connected"]:
            found[channel["client"]] += len(channel["topics"])
    each = [found[client] for client in _CLIENTS]
    text = f"{variant}: {_CHANNELS * topics} topics of each client"
    stage.report.claim(text, each == [_CHANNELS * topics] * 2, each)
    sockets = simulator.ledger("sockets")
    peaks = [judge.most_connected(sockets, client) for client in _CLIENTS]
    stage.report.claim(f"{variant}: at most 20 channels of each connected", max(peaks) <= 20, peaks)
    evicted = sum(bool(one["connected"]) for one in simulator.ledger("evictions"))
    stage.report.claim(f"{variant}: no connected channel is evicted", not evicted, evicted)
    refused = sum(call["status"] == 429 for call in judge.api_calls(simulator.ledger("calls")))
    stage.report.claim(f"{variant}: no call is refused with 429", not refused, refused)


def _claim_shown(stage: Stage, instances: Instances, sessions: list[AgentSession], variant: str) -> None:
    """Claim what BOFE is shown of some, at each instance: whichever of them carries the conversation."""
    some = sessions[:: max(1, len(sessions) // 50)]
    states = Counter(view["state"] for instance in instances for view in instance.gateway.views(some))
    stage.report.claim(f"{variant}: each instance shows all as `subscribed`", set(states) == {"subscribed"}, states)

"""Each medium's record arrives within a second of the wrap-up, equal to the contract field by field; backfilled too."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.acceptance.expected import differences, expected_record
from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import until

_CODE = "7fb334b0-0e9e-11e4-9191-0800200c9a66"
_CARDS = "5d1f6a4e-3a55-4b5e-9f0f-0f6c5d3f1a01"
#: an agent whose name Genesys no longer has
_GONE = "c0ffee00-0000-4000-8000-000000000001"
_BY = ", handled by Maria Cruz"
_OTHER_QUEUE = "3b8e1f7a-9d4c-4f55-8a2e-6c1b0d9e7f30"
_PHONE = "+639171234567"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A conversation, and the fields its record must have, written by hand."""

    start: dict[str, Any]
    channel: str
    handle: str | None
    title: str
    wrapup: dict[str, Any] = field(default_factory=dict)
    #: the name of the wrap-up code; None where Genesys has none
    purpose: str | None = "Billing question"
    agent: str | None = "Maria Cruz"
    domain: str = "OTHER"


def _message(kind: str | None, channel: str, handle: str, **more: Any) -> Case:
    start = {"mediaType": "MESSAGE", "addressFrom": handle, **({"messageType": kind} if kind else {}), **more}
    return Case(start=start, channel=channel, handle=handle, title=f"Inbound message{_BY}")


_CAMPAIGN = {"direction": "OUTBOUND", "agentDirection": "INBOUND"}
_WROTE = {"addressFrom": "bank@x", "addressTo": "juana@example.ph"}
#: Media whose legs have no direction in the live view.
_UNDIRECTED = ("VIDEO", "COBROWSE", "SCREENSHARE", "UNKNOWN")
#: How far the end of an after-call work and the time of its event may be apart, in ms.
_MOMENT_MS = 50

CASES = [
    Case(start={"ani": f"tel:{_PHONE}"}, channel="VOICE", handle=_PHONE, title=f"Inbound voice call{_BY}"),
    Case(
        start={"direction": "OUTBOUND", "ani": "tel:+63288887777", "dnis": "0917 123 4567"},
        channel="VOICE",
        handle=_PHONE,
        title=f"Outbound voice call{_BY}",
    ),
    Case(
        start={"ani": "sip:+63288889999@10.1.2.3;transport=tls"},
        channel="VOICE",
        handle="+63288889999",
        title=f"Inbound voice call{_BY}",
    ),
    Case(start={"ani": "sip:juana@pbx.example"}, channel="VOICE", handle="juana", title=f"Inbound voice call{_BY}"),
    Case(
        start={"direction": "UNKNOWN", "ani": "anonymous"},
        channel="VOICE",
        handle="anonymous",
        title=f"Inbound voice call{_BY}",
    ),
    Case(start={"ani": "1001"}, channel="VOICE", handle="1001", title=f"Inbound voice call{_BY}"),
    Case(
        start={"mediaType": "CALLBACK", "callbackNumbers": ["tel:09171234567", "+63288887777"]},
        channel="VOICE",
        handle=_PHONE,
        title=f"Inbound callback{_BY}",
    ),
    Case(
        start={"mediaType": "CHAT", "addressFrom": "visitor-77"},
        channel="CHAT",
        handle="visitor-77",
        title=f"Inbound chat{_BY}",
    ),
    Case(
        start={"mediaType": "EMAIL", "addressFrom": "juana@example.ph", "subject": "My card 4 you"},
        channel="EMAIL",
        handle="juana@example.ph",
        title="My card 4 you",
    ),
    Case(
        start={"mediaType": "EMAIL", "direction": "OUTBOUND", "addressFrom": "bank@x", "addressTo": "juana@example.ph"},
        channel="EMAIL",
        handle="juana@example.ph",
        title=f"Outbound e-mail{_BY}",
    ),
    Case(start=_CAMPAIGN, channel="VOICE", handle=_PHONE, title=f"Outbound voice call{_BY}"),
    Case(
        start={**_CAMPAIGN, "customerPurpose": "external", "ani": "+63288887777", "dnis": f"sip:{_PHONE}@10.0.0.1"},
        channel="VOICE",
        handle=_PHONE,
        title=f"Outbound voice call{_BY}",
    ),
    Case(
        start={"mediaType": "EMAIL", **_CAMPAIGN, **_WROTE},
        channel="EMAIL",
        handle="juana@example.ph",
        title=f"Outbound e-mail{_BY}",
    ),
    Case(
        start={"mediaType": "MESSAGE", "messageType": "SMS", **_CAMPAIGN, **_WROTE},
        channel="SMS",
        handle="juana@example.ph",
        title=f"Outbound message{_BY}",
    ),
    Case(
        start={"mediaType": "CALLBACK", **_CAMPAIGN, "callbackNumbers": [_PHONE]},
        channel="VOICE",
        handle=_PHONE,
        title=f"Outbound callback{_BY}",
    ),
    Case(
        start={},
        channel="VOICE",
        handle=_PHONE,
        title=f"Inbound voice call{_BY}",
        wrapup={"notes": "in three parts", "durationMs": 6000, "segments": 3},
    ),
    Case(start={}, channel="VOICE", handle=_PHONE, title=f"Inbound voice call{_BY}", wrapup={"notes": ""}),
    _message("UNKNOWN", "SOCIAL_MEDIA", "unknown-type"),
    _message("SMS", "SMS", _PHONE),
    _message("WEBMESSAGING", "APP_CHAT", "device-5"),
    _message("OPEN", "APP_CHAT", "app-user-9"),
    _message("WHATSAPP", "SOCIAL_MEDIA", _PHONE),
    _message("FACEBOOK", "SOCIAL_MEDIA", "fb-1"),
    _message("LINE", "SOCIAL_MEDIA", "line-1"),
    _message("INSTAGRAM", "SOCIAL_MEDIA", "ig-1"),
    _message("TELEPATHY", "SOCIAL_MEDIA", "nobody-knows-this-type"),
    _message(None, "SOCIAL_MEDIA", "no-type-at-all"),
    Case(start={"mediaType": "VIDEO"}, channel="VIDEO", handle=None, title=f"Inbound video call{_BY}"),
    Case(start={"mediaType": "COBROWSE"}, channel="COBROWSE", handle=None, title=f"Inbound co-browsing{_BY}"),
    Case(start={"mediaType": "SCREENSHARE"}, channel="SCREENSHARE", handle=None, title=f"Inbound screen share{_BY}"),
    Case(start={"mediaType": "INTERNALMESSAGE"}, channel="OTHER", handle=None, title=f"Inbound interaction{_BY}"),
    Case(start={"mediaType": "UNKNOWN"}, channel="OTHER", handle=None, title=f"Inbound interaction{_BY}"),
    Case(
        start={"queueId": _OTHER_QUEUE, "ani": _PHONE},
        channel="VOICE",
        handle=_PHONE,
        title=f"Inbound voice call{_BY}",
        wrapup={"code": _CARDS, "notes": 'Señora Reyes: 卡 🙂 "quoted"\n2nd line', "durationMs": 0},
        purpose="Lost card",
        domain="CARDS",
    ),
    Case(
        start={},
        channel="VOICE",
        handle=_PHONE,
        title=f"Inbound voice call{_BY}",
        wrapup={"code": None},
        purpose=None,
    ),
    Case(
        start={},
        channel="VOICE",
        handle=_PHONE,
        title=f"Inbound voice call{_BY}",
        wrapup={"code": "ININ-WRAP-UP-TIMEOUT"},
        purpose=None,
    ),
    Case(
        start={"agent": {"userId": _GONE, "name": "(gone)"}},
        channel="VOICE",
        handle=_PHONE,
        title="Inbound voice call",
        agent=None,
    ),
]


def play(stage: Stage) -> None:
    """Play every case one after the other, then all at once with their events lost."""
    simulator = stage.simulator({"analyticsLagSeconds": 1, "callsPerMinute": 6000})
    simulator.control("POST", "/wrapup-codes", {"id": _CARDS, "name": "Lost card"})
    simulator.control("POST", "/users", {"id": _GONE, "name": None})
    domains = {"GATEWAY_DOMAIN_BY_QUEUE": json.dumps({_OTHER_QUEUE: "CARDS"})}
    gateway = stage.gateway(simulator, domains).start()
    wrong = [difference for case in CASES for difference in _play_case(simulator, gateway, case)]
    stage.report.note(f"played {len(CASES)} conversations of all media")
    stage.report.claim("every record equals the contract field by field", not wrong, "; ".join(wrong[:5]))
    records = simulator.ledger("records")
    live = judge.sources(records)["live"]
    stage.report.claim("most of them came live", live > len(CASES) / 2, f"{live} of {len(CASES)}")
    keys = all(entry["idempotencyKey"] == entry["record"]["id"] for entry in records)
    stage.report.claim("the Idempotency-Key is the record's id", keys, f"{len(records)} records")
    delays = judge.delays_ms(simulator.ledger("finished"), records)
    figure = f"median {judge.share(delays, 0.5)} ms, slowest {delays[-1]} ms"
    stage.report.claim("record at the receiver < 1 s after wrap-up", delays[-1] < 1000, figure)
    gateway.close()

    quick = {"GATEWAY_RECONCILE_SECONDS": 1, "GATEWAY_ANALYTICS_SETTLE_SECONDS": 2, "GATEWAY_API_RATE_PER_MINUTE": 3000}
    gateway = stage.gateway(simulator, {**domains, **quick}, name="backfill").start()
    wrong = _play_lost(simulator, gateway)
    stage.report.claim("a backfilled record equals it, too", not wrong, "; ".join(wrong[:5]))
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    judge.one_socket_per_channel(stage.report, simulator, most=2)


def _play_case(simulator: Simulator, gateway: Gateway, case: Case) -> list[str]:
    session, customer = _begin(simulator, gateway, case)
    simulator.until_covered([session])
    done = simulator.wrap_up(session, **case.wrapup)
    until(lambda: bool(_stored(simulator, session.conversation)), 10, "the record is stored")
    got = _stored(simulator, session.conversation)
    source = got["body"]["eventSource"]  # the first question about a conversation may have been asked just now
    return [f"{case.start}: {one}" for one in differences(_wanted(case, customer, done, source), got)]


def _play_lost(simulator: Simulator, gateway: Gateway) -> list[str]:
    """Play all cases without their events; the live view or analytics tell what was missed."""
    simulator.fault("lose_events")
    cases = [case for case in CASES if _said_by_all(case)]
    started = [_begin(simulator, gateway, case) for case in cases]
    done = [simulator.wrap_up(session, **case.wrapup) for (session, _), case in zip(started, cases, strict=True)]
    for session, _ in started:
        simulator.act(session.conversation, "end")
    until(lambda: all(_stored(simulator, session.conversation) for session, _ in started), 60, "all are recovered")
    wrong = []
    for case, (session, customer), answer in zip(cases, started, done, strict=True):
        wanted, got = _wanted(case, customer, answer, "backfill"), _stored(simulator, session.conversation)
        apart = abs(judge.epoch_ms(got["communicatedAt"]) - judge.epoch_ms(wanted["communicatedAt"]))
        wanted["communicatedAt"] = got["communicatedAt"] if apart <= _MOMENT_MS else wanted["communicatedAt"]
        wrong += [f"{case.start}: {one}" for one in differences(wanted, got)]
    return wrong


def _said_by_all(case: Case) -> bool:
    """Whether the live view has all that the event has."""
    return case.start.get("mediaType") not in _UNDIRECTED or case.start.get("direction") != "OUTBOUND"


def _begin(simulator: Simulator, gateway: Gateway, case: Case) -> tuple[AgentSession, str]:
    """Start the conversation and register it for a new customer."""
    session, customer = simulator.start(**case.start), str(uuid4())
    gateway.register(session.conversation, customer)
    return session, customer


def _wanted(case: Case, customer: str, done: dict[str, Any], source: str) -> dict[str, Any]:
    return expected_record(
        done["recordKey"],
        done["event"]["eventBody"],
        customer=customer,
        agent=case.agent,
        wrapup=case.purpose,
        channel=case.channel,
        handle=case.handle,
        title=case.title,
        domain=case.domain,
        source=source,
    )


def _stored(simulator: Simulator, conversation: str) -> dict[str, Any]:
    found = [e["record"] for e in simulator.ledger("records") if e["record"]["interactionId"] == conversation]
    return found[0] if found else {}

"""What the simulator's ledger shows about the promises; each rule is written again, from the contract."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from tests.harness.report import Report
from tests.harness.simulator import Simulator

Json = Mapping[str, Any]

#: Namespace of all record ids.
NAMESPACE = UUID("0d9f3f0c-6f0e-5b52-9d3f-7a0a6c1e2b44")
_MINUTE_MS = 60_000


def record_id(key: str) -> str:
    """The id of the record of ``conversation/participant/session``."""
    return str(uuid5(NAMESPACE, key))


def customer_of(conversation: str) -> str:
    """The customer that BOFE names for a conversation, each time the same, where a story names none."""
    return str(uuid5(NAMESPACE, f"customer of {conversation}"))


def mixed_up(finished: Iterable[Json], records: Iterable[Json]) -> list[str]:
    """Ids of records whose conversation, session, agent or customer is not that of the work with the same id."""
    works = {record_id(acw["recordKey"]): acw for acw in finished}
    found = [(entry["record"]["id"], entry["record"]) for entry in records]
    return [one for one, record in found if one in works and not _matches(record, works[one])]


def _matches(record: Json, acw: Json) -> bool:
    conversation, body = acw["conversationId"], record["body"]
    found = (record["interactionId"], body["participantId"], body["sessionId"], body["agentId"], record["customerId"])
    return found == (
        conversation,
        acw["participantId"],
        acw["sessionId"],
        acw["userId"],
        customer_of(conversation),
    )


def each_record_matches_its_work(report: Report, simulator: Simulator) -> bool:
    """Claim that no record has fields of another after-call work, or another customer than BOFE named."""
    mixed = mixed_up(simulator.ledger("finished"), simulator.ledger("records"))
    return report.claim("each record matches its own work and customer", not mixed, f"{len(mixed)} mixed up")


def nothing_lost_nothing_doubled(report: Report, simulator: Simulator) -> bool:
    """Claim that each finished after-call work has one record under its one id, and that `simulator verify` agrees."""
    finished, records = simulator.ledger("finished"), simulator.ledger("records")
    wanted = {record_id(acw["recordKey"]) for acw in finished if acw["expected"]}
    stored = Counter(entry["record"]["id"] for entry in records)
    lost, doubled = wanted - stored.keys(), [one for one, times in stored.items() if times > 1]
    unexpected = stored.keys() - {record_id(acw["recordKey"]) for acw in finished}
    figure = f"{len(wanted)} finished, {len(lost)} lost, {len(doubled)} doubled, {len(unexpected)} unexpected"
    one = report.claim(
        "each after-call work has exactly one record, under its own id", not (lost or doubled or unexpected), figure
    )
    code, text = simulator.verify()
    two = report.claim("simulator verify is clean", code == 0, "" if code == 0 else text.strip().replace("\n", "; "))
    return one and two


def nothing_lost_doubled_only_in_doubt(report: Report, simulator: Simulator, doubted: int) -> bool:
    """Claim the same of a receiver that stores a repeated id again: as many records may be doubled as were in doubt."""
    finished, records = simulator.ledger("finished"), simulator.ledger("records")
    wanted = {record_id(acw["recordKey"]) for acw in finished if acw["expected"]}
    stored = Counter(entry["record"]["id"] for entry in records)
    lost, doubled = wanted - stored.keys(), stored.total() - len(stored)
    unexpected = stored.keys() - {record_id(acw["recordKey"]) for acw in finished}
    figure = f"{len(wanted)} finished, {len(lost)} lost, {len(unexpected)} unexpected"
    one = report.claim("each after-call work has its record", not (lost or unexpected), figure)
    figure = f"{doubled} doubled, {doubted} in doubt"
    two = report.claim("doubled only after an attempt in doubt", doubled <= doubted, figure)
    return one and two


def sent_again(attempts: Iterable[Json]) -> int:
    """Number of attempts with a record that had been stored before."""
    stored = Counter(attempt["id"] for attempt in attempts if attempt["stored"])
    return stored.total() - len(stored)


def one_socket_per_channel(report: Report, simulator: Simulator, *, most: int = 20) -> bool:
    """Claim that no socket replaced another, no connected channel was evicted, and at most ``most`` were open."""
    sockets = simulator.ledger("sockets")
    kicked = sum(entry["event"] == "kicked" for entry in sockets)
    evicted = sum(bool(entry["connected"]) for entry in simulator.ledger("evictions"))
    peak = most_connected(sockets)
    figure = f"{kicked} kicked, {evicted} connected ones evicted, {peak} open at once"
    return report.claim(
        f"one socket per channel, at most {most} open, none evicted",
        not kicked and not evicted and peak <= most,
        figure,
    )


def most_connected(sockets: Iterable[Json], client: str | None = None) -> int:
    """Maximum number of sockets open at the same time, of all OAuth clients or of one."""
    now = peak = 0
    for entry in sockets:
        if client is not None and entry["client"] != client:
            continue
        now += {"opened": 1, "closed": -1}.get(entry["event"], 0)
        peak = max(peak, now)
    return peak


def api_calls(calls: Iterable[Json]) -> list[Json]:
    """Calls that count against the rate limit: neither logins nor CommunicationHistory."""
    return [call for call in calls if call["path"].startswith("/api/v2/")]


def changes_of_subscriptions(calls: Iterable[Json]) -> list[Json]:
    """Calls that add, replace or clear topics."""
    return [c for c in calls if c["path"].endswith("/subscriptions") and c["method"] in ("POST", "PUT", "DELETE")]


def creations(calls: Iterable[Json]) -> list[Json]:
    """Calls that create a channel."""
    return [c for c in calls if c["path"] == "/api/v2/notifications/channels" and c["method"] == "POST"]


def questions(calls: Iterable[Json]) -> list[Json]:
    """Calls that ask about conversations: reconciliation."""
    return [c for c in calls if c["path"].startswith(("/api/v2/conversations/", "/api/v2/analytics/"))]


def most_in_a_minute(calls: Sequence[Json]) -> int:
    """Maximum number of calls within any 60 seconds."""
    moments = sorted(call["at"] for call in calls)
    first = peak = 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - _MINUTE_MS:
            first += 1
        peak = max(peak, last - first + 1)
    return peak


def largest_burst(calls: Sequence[Json], pause_ms: int) -> int:
    """Maximum number of calls in a row with shorter pauses between them."""
    peak = burst = 0
    before = -_MINUTE_MS
    for moment in sorted(call["at"] for call in calls):
        burst = burst + 1 if moment - before < pause_ms else 1
        peak, before = max(peak, burst), moment
    return peak


def epoch_ms(text: str) -> int:
    """Epoch milliseconds of an ISO time."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def delays_ms(finished: Iterable[Json], records: Iterable[Json]) -> list[int]:
    """Milliseconds from the end of each after-call work until its record was stored, ascending."""
    received = {entry["record"]["id"]: epoch_ms(entry["receivedAt"]) for entry in records}
    ids = [(record_id(acw["recordKey"]), acw["at"]) for acw in finished]
    return sorted(received[one] - at for one, at in ids if one in received)


def share(values: Sequence[int], part: float) -> int:
    """The quantile of ascending values; 0 if there are none."""
    return values[min(len(values) - 1, int(len(values) * part))] if values else 0


def recovered(finished: Iterable[Json], records: Iterable[Json]) -> list[Json]:
    """The after-call works whose record was made of an answer of Genesys instead of an event."""
    found = {entry["record"]["id"] for entry in records if entry["record"]["body"]["eventSource"] == "backfill"}
    return [acw for acw in finished if record_id(acw["recordKey"]) in found]


def sources(records: Iterable[Json]) -> Counter[str]:
    """Number of records by source: live, backfill, or supportResult."""
    return Counter(entry["record"]["body"]["eventSource"] for entry in records)

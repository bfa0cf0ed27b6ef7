"""The judge of acceptance and chaos, judged: what it has to notice is put before it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.harness.gateway import Gateway
from tests.harness.http import NoAnswer
from tests.harness.judge import customer_of, mixed_up, most_connected, record_id, sent_again

WORK = {
    "recordKey": "c-1/p-1/s-1",
    "conversationId": "c-1",
    "participantId": "p-1",
    "sessionId": "s-1",
    "userId": "u-1",
}


def socket(channel: str, event: str) -> dict[str, str]:
    return {"channel": channel, "event": event}


def test_sockets_that_are_open_at_the_same_time_are_counted() -> None:
    seen = [socket("a", "opened"), socket("b", "opened"), socket("a", "closed"), socket("c", "opened")]
    assert most_connected(seen) == 2


def record(**changes: str | None) -> dict[str, Any]:
    told = {"participantId": "p-1", "sessionId": "s-1", "agentId": "u-1", "customerId": customer_of("c-1")} | changes
    body = {name: told[name] for name in ("participantId", "sessionId", "agentId")}
    made = {"id": record_id("c-1/p-1/s-1"), "interactionId": "c-1", "customerId": told["customerId"], "body": body}
    return {"record": made}


def test_a_record_of_the_work_whose_id_it_bears_is_not_mixed_up() -> None:
    assert mixed_up([WORK], [record()]) == []


@pytest.mark.parametrize("wrong", ["participantId", "sessionId", "agentId", "customerId"])
def test_a_record_with_something_of_another_work_is_mixed_up(wrong: str) -> None:
    assert mixed_up([WORK], [record(**{wrong: "another"})]) == [record_id("c-1/p-1/s-1")]
    assert mixed_up([WORK], [record(**{wrong: None})]) == [record_id("c-1/p-1/s-1")]


def test_bofe_names_the_same_customer_each_time_and_another_for_another_interaction() -> None:
    assert customer_of("c-1") == customer_of("c-1") != customer_of("c-2")


def test_what_was_stored_once_and_refused_once_was_not_sent_again() -> None:
    assert sent_again([{"id": "r-1", "stored": False}, {"id": "r-1", "stored": True}]) == 0
    assert sent_again([{"id": "r-1", "stored": True}] * 3 + [{"id": "r-2", "stored": True}]) == 2


def test_a_number_that_is_not_told_is_no_zero(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, "http://127.0.0.1:9000", {})
    told = b'genesys_gateway_conversations{state="closed"} 2.0\ngenesys_gateway_conversations{state="pending"} 1.0\n'
    gateway.bofe = cast("Any", SimpleNamespace(request=lambda *_: SimpleNamespace(body=told)))
    assert gateway.metric("conversations") == 3
    with pytest.raises(NoAnswer):
        gateway.metric("conversations_unaccounted")

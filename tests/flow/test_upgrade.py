"""A gateway of today goes on where the first release stopped or was killed, with real processes, on both databases."""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine

from tests.flow.gateways import start_gateway
from tests.harness import databases, first_release
from tests.harness.gateway import OPS_TOKEN, Gateway
from tests.harness.http import JsonClient
from tests.harness.judge import record_id
from tests.harness.processes import ROOT, python
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

KINDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.skipif(not databases.reachable(), reason="no PostgreSQL")),
]


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The database of the first release, as if that had ended a minute ago."""
    if request.param == "sqlite":
        file = f"sqlite:///{tmp_path}/gateway.db"
        first_release.load_as_of_now(file)
        yield file
        return
    with databases.postgresql() as name:
        first_release.load_as_of_now(databases.url(name))
        yield databases.url(name)


class Left:
    """What the first release left, as its tables show it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.pending = {row.id: row for row in self._rows("SELECT * FROM entry WHERE state = 'pending'")}
        (self.dead,) = self._ids("entry", "state = 'dead'")
        self.delivered = set(self._ids("entry", "state = 'delivered'"))
        self.open = self._ids("conversation", "state <> 'closed'")
        self.unknown = self._ids("conversation", "state <> 'closed' AND unknown_since IS NOT NULL")
        self.closed = self._ids("conversation", "state = 'closed'")
        (self.unresolved,) = self._ids("conversation", "outcome = 'unresolved'")

    def _rows(self, query: str) -> list[Any]:
        with create_engine(self._url, poolclass=NullPool).connect() as connection:
            return list(connection.exec_driver_sql(query))

    def _ids(self, table: str, which: str) -> list[str]:
        return [row.id for row in self._rows(f"SELECT id FROM {table} WHERE {which} ORDER BY id")]


def command(url: str, *words: str) -> Any:
    """Run a command with DATABASE_URL as its only setting; returns what it prints as JSON."""
    environ = {"PATH": os.environ["PATH"], "DATABASE_URL": url}
    words = ("-m", "genesys_gateway", *words, "--json")
    done = subprocess.run(python(*words), cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def posts(simulator: Simulator, ids: set[str]) -> Counter[str]:
    """How often each of these records was posted."""
    return Counter(one["id"] for one in simulator.attempts() if one["id"] in ids)


def status(gateway: Gateway) -> Any:
    return JsonClient(gateway.url, OPS_TOKEN).request("GET", "/ops/api/status").json


def test_a_gateway_of_today_goes_on_where_the_first_release_ended(
    url: str, tmp_path: Path, simulator: Simulator
) -> None:
    left = Left(url)
    known = [simulator.start(conversationId=one) for one in left.open if one not in left.unknown]
    gateway = start_gateway(tmp_path, simulator.url, DATABASE_URL=url, GATEWAY_LEASE_SECONDS="10")
    try:
        simulator.until_covered(known)
        until(lambda: posts(simulator, set(left.pending)).keys() == left.pending.keys(), 30)
        assert_sent_as_stored(simulator, left.pending)
        until(lambda: status(gateway)["backlog"] == 0, 15)

        new = [record_id(simulator.wrap_up(one)["recordKey"]) for one in known[:3]]
        until(lambda: posts(simulator, set(new)).keys() == set(new), 15)
        assert [one["id"] for one in gateway.view(known[0].conversation)["records"]][-1] == new[0]

        left_behind = {"records_dead", "frames_set_aside", "unresolved"}
        assert {one["code"] for one in status(gateway)["troubles"]} == left_behind
        assert [one["id"] for one in command(url, "dead-letters", "list")] == [left.dead]
        command(url, "dead-letters", "requeue", left.dead)
        until(lambda: posts(simulator, {left.dead}).total() == 1, 15)

        assert "deadline" in str(command(url, "why", left.unresolved))
        shown = status(gateway)
        assert (shown["dead"], shown["promise"]["unaccounted"]) == (0, 0)
        assert shown["promise"]["accepted"] == len(left.open) + len(left.closed)
    finally:
        assert gateway.stop() == 0
    once = {*left.pending, left.dead, *new}
    assert posts(simulator, once | left.delivered) == dict.fromkeys(once, 1), "and nothing that was delivered then"


def assert_sent_as_stored(simulator: Simulator, pending: dict[str, Any]) -> None:
    """Each record has the content that the first release stored, to the last character."""
    sent = {one["record"]["id"]: one["record"] for one in simulator.ledger("records")}
    for number, row in pending.items():
        stored, body = json.loads(row.content), sent[number]["body"]
        assert sent[number]["interactionId"] == row.conversation_id
        assert (body["agentId"], body["wrapUpNotes"]) == (stored["user_id"], stored["wrapup_notes"])

"""A gateway that starts from an older state of its database: what is sent again, what is lost, what is found again."""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.flow.gateways import start_gateway
from tests.harness import databases
from tests.harness.gateway import BACKOFFICE_TOKEN, Gateway
from tests.harness.http import JsonClient
from tests.harness.judge import record_id
from tests.harness.processes import ROOT, python
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.waiting import until

#: Where the commands of a restore stand. They are run as they are written there.
DOCUMENT = ROOT / "docs/operations.md"
KINDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.skipif(not databases.reachable(), reason="no PostgreSQL")),
]


class OfSqlite:
    """A file, and the command `backup`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "var"
        self._folder.mkdir()
        self.url = f"sqlite:///{self._folder}/gateway.db"
        self.restored_url = self.url

    def back_up(self) -> None:
        environ = {"PATH": os.environ["PATH"], "DATABASE_URL": self.url}
        command = python("-m", "genesys_gateway", "backup", str(self._folder / "backup.db"))
        subprocess.run(command, cwd=ROOT, env=environ, check=True, timeout=60)

    def restore(self) -> None:
        run_documented("before-restore", self._folder.parent)


class OfPostgresql:
    """A database, pg_dump and pg_restore."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self.url, self.restored_url = databases.url(name), databases.url(f"{name}_restored")

    def back_up(self) -> None:
        run_documented("pg_dump --format=custom", self._folder, PGDATABASE=self._name)

    def restore(self) -> None:
        run_documented("pg_restore", self._folder, PGDATABASE=self._name)


def run_documented(word: str, folder: Path, **environ: str) -> None:
    """Run the shell block of the document that holds this word, as it is written there."""
    blocks = [block.partition("```")[0] for block in DOCUMENT.read_text().split("```sh\n")[1:]]
    (wanted,) = [block for block in blocks if word in block]
    environ |= {"PATH": os.environ["PATH"], "PGHOST": databases.HOST, "PGUSER": "postgres"}
    subprocess.run(["bash", "-eu", "-c", wanted], cwd=folder, env=environ, check=True, timeout=60)


@contextmanager
def of_postgresql(folder: Path) -> Iterator[OfPostgresql]:
    with databases.postgresql() as name:
        try:
            yield OfPostgresql(folder, name)
        finally:
            databases.execute(f"DROP DATABASE IF EXISTS {name}_restored WITH (FORCE)")


@pytest.fixture(params=KINDS)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OfSqlite | OfPostgresql]:
    """The database of a gateway, and how it is backed up and restored."""
    if request.param == "sqlite":
        yield OfSqlite(tmp_path)
        return
    with of_postgresql(tmp_path) as made:
        yield made


class Story:
    """A gateway, and a contact centre and receiver that nobody else uses."""

    def __init__(self, folder: Path, simulator: Simulator, url: str) -> None:
        self.simulator = simulator
        settings = {"GATEWAY_RECONCILE_SECONDS": "0.5", "GATEWAY_RETRY_BASE_SECONDS": "0.2"}
        self.gateway: Gateway = start_gateway(folder, simulator.url, DATABASE_URL=url, **settings)

    def calls(self, count: int) -> list[AgentSession]:
        """Registered and covered conversations."""
        sessions = self.simulator.start_many(count)
        self.gateway.register_all(sessions)
        self.simulator.until_covered(sessions)
        return sessions

    def wrap_up(self, *sessions: AgentSession) -> set[str]:
        """End their after-call works; returns the ids of their records."""
        return {record_id(self.simulator.wrap_up(one)["recordKey"]) for one in sessions}

    def report(self, session: AgentSession) -> None:
        """The older trigger reports that agent's after-call work before Genesys does."""
        body = {
            "conversationId": session.conversation,
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "direction": "inbound",
            "ani": "+639171234567",
            "mediaType": "voice",
            "wrapupCode": "ININ-WRAP-UP-TIMEOUT",
            "userId": session.user,
        }
        client = JsonClient(self.gateway.url, BACKOFFICE_TOKEN)
        assert client.request("POST", "/customers/supportResult", body).status == 202

    def until_delivered(self, *sessions: AgentSession) -> None:
        """Wait until BOFE is shown each with a delivered record."""

        def delivered(one: AgentSession) -> bool:
            return [record["state"] for record in (self.gateway.view(one.conversation) or {})["records"]] == [
                "delivered"
            ]

        until(lambda: all(delivered(one) for one in sessions), 20)

    def failures(self) -> set[str]:
        """Ids of the records of which an attempt has failed, and the database knows it."""
        return {line["record"] for line in self.gateway.log() if line["event"] == "attempt_failed"}

    def posts(self) -> Counter[str]:
        return Counter(one["id"] for one in self.simulator.attempts())


def test_an_older_state_loses_only_registrations_and_is_sent_again_under_the_same_ids(
    state: OfSqlite | OfPostgresql, tmp_path: Path
) -> None:
    simulator = Simulator(tmp_path, {"analyticsLagSeconds": 0.1})
    story = Story(tmp_path, simulator, state.url)
    try:
        before, waiting, doubtful, later, reported = story.calls(5)
        sent_before = story.wrap_up(before)
        story.until_delivered(before)
        held = [{"mode": "429", "retryAfter": 5, "conversations": [waiting.conversation]}]
        simulator.set_receiver("ok", rules=[*held, {"mode": "503", "conversations": [doubtful.conversation]}])
        waited, doubted = story.wrap_up(waiting), story.wrap_up(doubtful)
        until(lambda: story.failures() == waited | doubted)

        state.back_up()
        simulator.set_receiver("ok")
        story.until_delivered(waiting, doubtful)
        (new,) = story.calls(1)
        sent_later, sent_new = story.wrap_up(later), story.wrap_up(new)
        story.report(reported)
        story.until_delivered(reported)
        story.wrap_up(reported)
        story.until_delivered(later, new)
        assert story.gateway.stop() == 0
        posts = story.posts()
        state.restore()

        story.gateway.start(DATABASE_URL=state.restored_url)
        assert story.gateway.view(new.conversation) is None, "what was registered since is unknown"
        assert story.gateway.register(new.conversation).status == 201
        story.until_delivered(before, waiting, doubtful, later, reported, new)
        sources = [source(story, one) for one in (before, waiting, doubtful, later, new)]
        assert sources == ["live", "live", "live", "backfill", "backfill"]
        again = story.posts() - posts
        found = {one for one in again if one not in posts}
        assert again == dict.fromkeys(waited | sent_later | sent_new | found, 1)
        assert not (set(again) & (sent_before | doubted)), "delivered before, or asked about first"
        until(lambda: story.gateway.metric("conversations_unaccounted") == 0, 10)
        balance = simulator.balance()
        assert len(found) == 1, "the work that a supportResult reported has another id"
        assert (balance["storedOnce"], balance["doubled"], balance["lost"]) == (5, 1, 0)
    finally:
        story.gateway.close()
        simulator.stop()


def source(story: Story, session: AgentSession) -> str:
    (record,) = story.gateway.view(session.conversation)["records"]
    return str(record["source"])

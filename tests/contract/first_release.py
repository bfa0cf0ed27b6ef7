"""`python -m tests.contract.first_release FOLDER`: what the first release leaves in its database, for upgrade tests.

The first release that landed is commit 991c1dc, whose tables are of revision 0004. It is run from a checkout of its
own, with its own simulator, through everything that leaves rows of another kind. What its database then holds is
written as text beside this file: `first_release_sqlite.sql` after a stop, `first_release_postgresql.sql` after a kill
in the middle of attempts::

    git worktree add --detach ../first 991c1dc
    python -m tests.contract.first_release ../first

It needs PostgreSQL as the tests do, and pg_dump. Repeat it only if a kind of row is missing.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.harness import databases
from tests.harness.gateway import BACKOFFICE_TOKEN, Gateway
from tests.harness.http import JsonClient
from tests.harness.processes import python
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.waiting import until

#: Text that a careless copy would damage.
NOTES = 'She said: "it\'s 50 % off"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;'
QUICK = {
    "GATEWAY_QUIET_SECONDS": "0.2",
    "GATEWAY_RECONCILE_SECONDS": "0.5",
    "GATEWAY_ANALYTICS_SETTLE_SECONDS": "1",
    "GATEWAY_RETRY_BASE_SECONDS": "0.5",
}
DAY_SECONDS = 86_400


class Story:
    """The first release at work.

    Args:
        release: Its checkout.
        database_url: An empty database.
    """

    def __init__(self, release: Path, folder: Path, database_url: str) -> None:
        before = ("env", f"--chdir={release}")
        self.release, self.database_url = release, database_url
        self.simulator = Simulator(folder, {"analyticsLagSeconds": 0.1}, before=before)
        settings = QUICK | {"DATABASE_URL": database_url}
        self.gateway = Gateway(folder, self.simulator.url, settings, before=before)

    def call(self, **conversation: object) -> AgentSession:
        """A conversation that is registered and covered."""
        session = self.simulator.start(
            **{"mediaType": "VOICE", "direction": "INBOUND", "ani": "tel:+639171234567"} | conversation
        )
        assert self.gateway.register(session.conversation).status == 201
        self.until(session, "subscribed")
        return session

    def until(self, session: AgentSession, word: str, times: int = 1) -> None:
        """Wait for the word in what BOFE is shown, that often."""
        until(lambda: str(self.gateway.view(session.conversation)).count(f"'{word}'") >= times, 20, word)

    def end(self, session: AgentSession, outcome: str) -> None:
        """The customer hangs up; the conversation is closed with that outcome."""
        self.simulator.act(session.conversation, "end")
        self.until(session, outcome)

    def wrap_up(self, session: AgentSession, state: str, **details: object) -> None:
        """The agent ends the after-call work, and its record gets into that state."""
        self.simulator.wrap_up(session, **details)
        self.until(session, state)

    def result(self, session: AgentSession) -> int:
        """The older trigger reports the after-call work."""
        body = {
            "conversationId": session.conversation,
            "eventTime": datetime.fromtimestamp(round(time.time()), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "direction": "inbound",
            "mediaType": "voice",
            "ani": "+639171234567",
            "wrapupCode": "ININ-WRAP-UP-TIMEOUT",
            "userId": session.user,
        }
        client = JsonClient(self.gateway.url, BACKOFFICE_TOKEN)
        with closing(client):
            return client.request("POST", "/customers/supportResult", body).status

    def type(self, *words: str) -> None:
        """A command of that release."""
        environ = {"PATH": os.environ["PATH"], "DATABASE_URL": self.database_url}
        command = python("-m", "genesys_gateway", *words)
        subprocess.run(command, cwd=self.release, env=environ, check=True, timeout=60)

    def attempted(self, *sessions: AgentSession) -> bool:
        """Whether an attempt of each has reached the receiver."""
        ids = {one["id"] for one in self.simulator.attempts()}
        return all({record["id"] for record in self.gateway.view(s.conversation)["records"]} & ids for s in sessions)


def of_the_past(story: Story) -> None:
    """Content that was erased by its age, and a conversation that nobody at Genesys knows, closed at its deadline."""
    story.gateway.start(GATEWAY_RETENTION_DAYS=str(1 / DAY_SECONDS))
    old = story.call()
    story.wrap_up(old, "delivered", notes=NOTES)
    story.end(old, "logged")
    story.until(old, "erased")
    assert story.gateway.stop() == 0
    story.gateway.start(GATEWAY_RETENTION_DAYS="7", GATEWAY_FOLLOW_DEADLINE_SECONDS="1")
    unknown = str(uuid4())
    story.gateway.register(unknown)
    until(lambda: story.gateway.view(unknown)["outcome"] == "unresolved", 30)
    assert story.gateway.stop() == 0
    story.gateway.start(GATEWAY_FOLLOW_DEADLINE_SECONDS=str(3 * DAY_SECONDS))


def closed(story: Story) -> None:
    """Conversations that are over."""
    logged = story.call()
    story.wrap_up(logged, "delivered", notes=NOTES)
    story.end(logged, "logged")
    mail = story.call(mediaType="EMAIL", ani=None, addressFrom="juan@example.com", subject="My cards")
    second = story.simulator.transfer(mail.conversation)
    story.wrap_up(mail, "delivered")
    story.simulator.wrap_up(second, code=None)
    story.until(mail, "delivered", 4)
    story.end(mail, "logged")
    story.end(story.call(acw=False), "no_acw")
    twin = story.call()
    assert story.result(twin) == 202
    story.until(twin, "delivered")
    story.wrap_up(twin, "delivered")
    story.end(twin, "logged")
    erased = story.call()
    story.wrap_up(erased, "delivered", notes=NOTES)
    story.end(erased, "logged")
    story.type("erase", "--customer", story.gateway.view(erased.conversation)["customerId"])


def followed(story: Story) -> None:
    """Conversations that go on."""
    for _ in range(2):
        story.call()
    talks = story.call(mediaType="MESSAGE", messageType="WEBMESSAGING", ani=None)
    story.simulator.transfer(talks.conversation)
    story.wrap_up(talks, "delivered", notes=NOTES)
    story.simulator.act(talks.conversation, "announce", changes={"wrapupNotes": "other notes"})
    story.until(talks, "amended")
    reported = story.call()
    assert story.result(reported) == 202
    story.until(reported, "delivered")
    assert story.result(story.simulator.start()) == 202, "of a conversation that nobody registers"
    for names in (("participantId", "userId"), ("participantId", "sessionId", "userId")):
        story.simulator.act(talks.conversation, "announce", changes=dict.fromkeys(names))
    for channel in story.simulator.connected():
        for garbage in ("array", "text"):
            story.simulator.control("POST", f"/channels/{channel}/send", {"garbage": garbage})
    paired = story.call()
    assert story.gateway.register(paired.conversation, str(uuid4())).status == 200
    story.gateway.register(str(uuid4()))  # Genesys does not know it
    again = story.call(acw=False)
    story.end(again, "no_acw")
    story.gateway.register(again.conversation)
    waiting = story.simulator.start()
    story.simulator.fault("reject_topics", topic=f"*{waiting.conversation}*")
    story.gateway.register(waiting.conversation)
    unheard = story.call()
    story.simulator.fault("lose_events", topic=f"*{unheard.conversation}*")
    story.simulator.transfer(unheard.conversation)
    story.simulator.wrap_up(unheard)
    story.until(unheard, "backfill")


def undelivered(story: Story) -> None:
    """Records that were refused, that wait, and whose outcome nobody knows."""
    refused, hanging, *waiting = [story.call() for _ in range(6)]
    story.simulator.set_receiver("422")
    story.wrap_up(refused, "dead", notes=NOTES)
    story.simulator.set_receiver("hang")
    story.simulator.wrap_up(hanging)
    until(lambda: story.attempted(hanging))
    story.gateway.kill()
    story.simulator.set_receiver("503", lookup=False, lookupStatus=503)
    story.gateway.start(GATEWAY_RETRY_BASE_SECONDS="2", GATEWAY_LEASE_SECONDS="10")
    for one in waiting:
        story.wrap_up(one, "pending", notes=NOTES)
    until(lambda: story.attempted(waiting[0]), 20)
    assert story.result(story.call()) == 202


def killed_while_sending(story: Story) -> None:
    """Kill it while records are being sent."""
    story.simulator.set_receiver("hang")
    sessions = [story.call() for _ in range(2)]
    before = len(story.simulator.attempts())
    for one in sessions:
        story.simulator.wrap_up(one)
    with suppress(TimeoutError):
        until(lambda: len(story.simulator.attempts()) > before, 20)
    story.gateway.kill()


def stopped(story: Story) -> None:
    """Stop it as its documents say."""
    assert story.gateway.stop() == 0


@contextmanager
def played(release: Path, folder: Path, database_url: str, end: Callable[[Story], None]) -> Iterator[None]:
    """Everything, to that end."""
    story = Story(release, folder, database_url)
    try:
        of_the_past(story)
        closed(story)
        followed(story)
        undelivered(story)
        end(story)
        yield
    finally:
        story.gateway.close()
        story.simulator.stop()


def write(name: str, text: str) -> None:
    """Write a database as text, without what only a shell reads."""
    lines = (line for line in text.splitlines() if line and not line.startswith(("--", "\\")))
    Path(__file__).with_name(name).write_text("\n".join(lines) + "\n")


def main(release: Path) -> None:
    """Make both files."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "gateway.db"
        with played(release, Path(name), f"sqlite:///{file}", stopped), closing(sqlite3.connect(file)) as connection:
            write("first_release_sqlite.sql", "\n".join(connection.iterdump()))
    with (
        tempfile.TemporaryDirectory() as name,
        databases.postgresql() as database,
        played(release, Path(name), databases.url(database), killed_while_sending),
    ):
        command = ["pg_dump", "--inserts", "--no-owner", "--no-privileges", f"--dbname={databases.dsn(database)}"]
        done: Any = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        write("first_release_postgresql.sql", done.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

"""The simulator as a process: a contact centre at Genesys and a CommunicationHistory, through its control API only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gevent.pool import Pool

from tests.harness.http import JsonClient, NoAnswer
from tests.harness.processes import Process, free_port, python, run
from tests.harness.waiting import until, wait_for

Json = dict[str, Any]

_START_SECONDS = 20.0
#: Control calls that finish conversations at the same time.
_CONCURRENT_CALLS = 32
#: Conversations that one control call starts at most.
_STARTED_PER_CALL = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSession:
    """The ids of one agent's session (leg) in a conversation."""

    conversation: str
    participant: str
    session: str
    user: str


class Simulator:
    """One simulator process: login, API and sockets of Genesys, and CommunicationHistory.

    Args:
        folder: Where its log is written.
        options: Its options, by their names in the control API.
        own_history_port: Give CommunicationHistory a port of its own, which refuses connections in mode ``down``.
        arguments: More of its command line.
        before: Words before the command, e.g. a tool that runs it.
        port: Its port; without it any that is free.
    """

    def __init__(
        self,
        folder: Path,
        options: Mapping[str, object] | None = None,
        *,
        own_history_port: bool = False,
        arguments: Sequence[str] = (),
        before: Sequence[str] = (),
        port: int | None = None,
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [*before, *python("-m", "genesys_gateway.simulator", "--port", str(self.port), *arguments)]
        self.history_url = f"{self.url}/history"
        if own_history_port:
            history_port = free_port()
            command += ["--history-port", str(history_port)]
            self.history_url = f"http://127.0.0.1:{history_port}"
        for name, value in (options or {}).items():
            command += ["--set", f"{name}={value}"]
        self.process = Process(command, {}, folder / "simulator.log")
        self._client = JsonClient(self.url)
        until(lambda: self.process.code is not None or self._answers(), _START_SECONDS, "the simulator answers")
        if self.process.code is not None:
            raise RuntimeError(f"the simulator ended with code {self.process.code}; see {self.process.log}")

    def _answers(self) -> bool:
        try:
            return self._client.request("GET", "/_sim/state").status == 200
        except NoAnswer:
            return False

    def stop(self) -> int:
        """End it by SIGTERM and return its exit code."""
        self._client.close()
        return self.process.stop()

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Make one control call. Raises RuntimeError for any answer but 2xx."""
        reply = self._client.request(method, f"/_sim{path}", body)
        if reply.status >= 300:
            raise RuntimeError(f"{method} /_sim{path}: {reply.status} {reply.body[:300]!r}")
        return reply.json

    # What happens in the contact centre

    def start(self, **conversation: object) -> AgentSession:
        """Start a conversation of a customer and an agent."""
        return _session(self.control("POST", "/conversations", conversation))

    def start_many(self, count: int, **conversation: object) -> list[AgentSession]:
        """Start that many conversations of the same kind."""
        sessions: list[AgentSession] = []
        while len(sessions) < count:
            some = min(_STARTED_PER_CALL, count - len(sessions))
            started = self.control("POST", "/conversations", {**conversation, "count": some})
            sessions += map(_session, started["conversations"])
        return sessions

    def act(self, conversation: str, action: str, **details: object) -> Any:
        """Have something happen in a conversation: transfer, consult, end, wrapup, announce, reopen and so on."""
        return self.control("POST", f"/conversations/{conversation}/{action}", details)

    def wrap_up(self, session: AgentSession, **details: object) -> Json:
        """End that agent's after-call work; returns recordKey, event, and how many sockets received it."""
        answer: Json = self.act(session.conversation, "wrapup", participantId=session.participant, **details)
        return answer

    def transfer(self, conversation: str, **details: object) -> AgentSession:
        """Transfer the conversation to another agent."""
        return _session({"conversationId": conversation, **self.act(conversation, "transfer", **details)})

    def finish(self, session: AgentSession) -> None:
        """The customer hangs up and the agent ends the after-call work."""
        self.act(session.conversation, "end")
        self.wrap_up(session)

    def finish_all(self, sessions: Iterable[AgentSession]) -> None:
        """Finish them as fast as possible."""
        Pool(_CONCURRENT_CALLS).map(self.finish, sessions)

    def fault(self, name: str, **details: object) -> Json:
        """Switch a fault on."""
        done: Json = self.control("POST", "/faults", {"name": name, **details})
        return done

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self.control("DELETE", "/faults")

    def set_receiver(self, mode: str, **details: object) -> None:
        """Set how CommunicationHistory behaves from now on; details that are not given are at their defaults again."""
        self.control("POST", "/history/mode", {"mode": mode, **details})

    # What it has recorded

    def ledger(self, part: str) -> list[Json]:
        """One part of its ledger: finished, records, calls, sockets or evictions."""
        found: list[Json] = self.control("GET", f"/ledger?part={part}")[part]
        return found

    def attempts(self) -> list[Json]:
        """Every POST of a record that reached it: at, id, mode, stored."""
        found: list[Json] = self.control("GET", "/history")["attempts"]
        return found

    def state(self) -> Json:
        """Its counters."""
        found: Json = self.control("GET", "/state")
        return found

    def channels(self) -> list[Json]:
        """Its channels: id, connected, topics, expires."""
        found: list[Json] = self.control("GET", "/channels")
        return found

    def connected(self) -> set[str]:
        """Ids of the channels with an open socket."""
        return {channel["id"] for channel in self.channels() if channel["connected"]}

    def sockets_opened(self) -> int:
        """Number of sockets that were ever opened."""
        return sum(entry["event"] == "opened" for entry in self.ledger("sockets"))

    def covered(self) -> set[str]:
        """Conversations with a topic on a channel with an open socket."""
        channels = [channel for channel in self.channels() if channel["connected"]]
        return {topic.split(".")[4] for channel in channels for topic in channel["topics"]}

    def until_covered(self, sessions: Iterable[AgentSession], seconds: float = 20.0) -> float:
        """Wait until each of the conversations is covered; returns the seconds it took. Raises TimeoutError."""
        wanted = {session.conversation for session in sessions}
        return until(lambda: wanted <= self.covered(), seconds, "all conversations are covered")

    def wait_covered(self, sessions: Iterable[AgentSession], seconds: float) -> float | None:
        """Wait as :meth:`until_covered` does, but return None when it takes too long."""
        wanted = {session.conversation for session in sessions}
        return wait_for(lambda: wanted <= self.covered(), seconds)

    def balance(self) -> Json:
        """Its balance of after-call works and records: expected, storedOnce, doubled, lost, clean."""
        found: Json = self.control("GET", "/balance")
        return found

    def wait_clean(self, finished: int, seconds: float) -> float | None:
        """Wait until that many after-call works are finished and each is recorded.

        Returns:
            The seconds it took; None when it took too long.
        """
        return wait_for(lambda: self._clean(finished), seconds)

    def _clean(self, finished: int) -> bool:
        state = self.state()
        if state["records"] < finished or state["finishedAcw"] < finished:
            return False
        return bool(self.balance()["clean"])

    def verify(self) -> tuple[int, str]:
        """Run `simulator verify`; returns its exit code and its output."""
        return run(python("-m", "genesys_gateway.simulator", "verify", "--url", self.url), 60)


def _session(answer: Json) -> AgentSession:
    return AgentSession(
        conversation=answer["conversationId"],
        participant=answer["participantId"],
        session=answer["sessionId"],
        user=answer["userId"],
    )

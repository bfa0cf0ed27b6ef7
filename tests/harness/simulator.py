"""The simulated contact centre and its ledger, through the control API alone."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gevent.pool import Pool

from tests.harness.http import NoAnswer, Web
from tests.harness.processes import Child, free_port, nap, python, run

Json = dict[str, Any]

_START_SECONDS = 20.0
_HANDS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An agent on the line."""

    conversation: str
    participant: str
    session: str
    user: str


class Centre:
    """One simulator process: login, API, sockets and, on a port of its own if wanted, the communication history.

    Args:
        folder: For its log.
        dials: Settings of the simulator.
        own_history_port: Then connections to the history are refused while it is ``down``.
    """

    def __init__(self, folder: Path, dials: Mapping[str, float], *, own_history_port: bool = False) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = python("-m", "genesys_gateway.simulator", "--port", str(self.port))
        self.history_url = f"{self.url}/history"
        if own_history_port:
            history_port = free_port()
            command += ["--history-port", str(history_port)]
            self.history_url = f"http://127.0.0.1:{history_port}"
        for name, value in dials.items():
            command += ["--set", f"{name}={value}"]
        self.child = Child(command, {}, folder / "simulator.log")
        self._web = Web(self.url)
        until(self._lives, _START_SECONDS, "the simulator answers")

    def _lives(self) -> bool:
        try:
            return self._web.ask("GET", "/_sim/state").status == 200
        except NoAnswer:
            return False

    def control(self, method: str, path: str, body: object = None) -> Any:
        """One control call. Raises RuntimeError when it is refused."""
        reply = self._web.ask(method, f"/_sim{path}", body)
        if reply.status >= 300:
            raise RuntimeError(f"{method} /_sim{path}: {reply.status} {reply.body[:300]!r}")
        return reply.json

    # Plays

    def start(self, **conversation: object) -> Line:
        """A customer and an agent begin to speak."""
        return _line(self.control("POST", "/conversations", conversation))

    def start_many(self, count: int, **conversation: object) -> list[Line]:
        """The same, many times."""
        lines: list[Line] = []
        while len(lines) < count:
            some = min(1000, count - len(lines))
            lines += map(
                _line, self.control("POST", "/conversations", {**conversation, "count": some})["conversations"]
            )
        return lines

    def wrap_up(self, line: Line, **how: object) -> Json:
        """That agent is done; recordKey, event and how many sockets heard it."""
        answer: Json = self.play(line.conversation, "wrapup", participantId=line.participant, **how)
        return answer

    def play(self, conversation: str, deed: str, **how: object) -> Any:
        """transfer, end, announce and so on."""
        return self.control("POST", f"/conversations/{conversation}/{deed}", how)

    def transfer(self, conversation: str, **how: object) -> Line:
        """A second agent takes over."""
        return _line({"conversationId": conversation, **self.play(conversation, "transfer", **how)})

    def finish(self, line: Line) -> None:
        """The customer hangs up and the agent wraps up."""
        self.play(line.conversation, "end")
        self.wrap_up(line)

    def finish_all(self, lines: Iterable[Line]) -> None:
        """All of them, as fast as it goes."""
        Pool(_HANDS).map(self.finish, lines)

    def fault(self, name: str, **how: object) -> Json:
        """Switch a fault on."""
        done: Json = self.control("POST", "/faults", {"name": name, **how})
        return done

    def mend(self) -> None:
        """Switch all faults off."""
        self.control("DELETE", "/faults")

    def receive(self, mode: str, **how: object) -> None:
        """How the communication history behaves from now on."""
        self.control("POST", "/history/mode", {"mode": mode, **how})

    # What it knows

    def ledger(self, part: str) -> list[Json]:
        """finished, records, calls, sockets or evictions."""
        found: list[Json] = self.control("GET", f"/ledger?part={part}")[part]
        return found

    def attempts(self) -> list[Json]:
        """Every POST of a record: at, id, mode, stored."""
        found: list[Json] = self.control("GET", "/history")["attempts"]
        return found

    def state(self) -> Json:
        """The world in numbers."""
        found: Json = self.control("GET", "/state")
        return found

    def channels(self) -> list[Json]:
        """id, connected, topics, expires."""
        found: list[Json] = self.control("GET", "/channels")
        return found

    def listened(self) -> set[str]:
        """Conversations whose topic is on a channel with an open socket."""
        return {
            topic.split(".")[4] for channel in self.channels() if channel["connected"] for topic in channel["topics"]
        }

    def until_listened(self, lines: Iterable[Line], seconds: float = 20.0) -> float:
        """Wait until an open socket listens for each of them; the seconds it took. Raises TimeoutError."""
        took = self.wait_listened(lines, seconds)
        if took is None:
            raise TimeoutError(f"not all subscribed within {seconds:.0f} s")
        return took

    def wait_listened(self, lines: Iterable[Line], seconds: float) -> float | None:
        """The same; None when it takes too long."""
        wanted = {line.conversation for line in lines}
        return wait_for(lambda: wanted <= self.listened(), seconds)

    def balance(self) -> Json:
        """Expected, stored once, doubled, lost."""
        found: Json = self.control("GET", "/balance")
        return found

    def until_clean(self, finished: int, seconds: float) -> float | None:
        """Wait until so many after-call works are done and each is recorded; the seconds it took, None if too long."""
        return wait_for(lambda: self._clean(finished), seconds)

    def _clean(self, finished: int) -> bool:
        state = self.state()
        if state["records"] < finished or state["finishedAcw"] < finished:
            return False
        return bool(self.balance()["clean"])

    def verify(self) -> tuple[int, str]:
        """`simulator verify`: its exit code and what it printed."""
        return run(python("-m", "genesys_gateway.simulator", "verify", "--url", self.url), 60)


def wait_for(condition: Callable[[], bool], seconds: float, every: float = 0.02) -> float | None:
    """Seconds until it came true; None when it did not in time."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            return None
        nap(every)
    return time.monotonic() - begun


def until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Like :func:`wait_for`, for what the story itself needs. Raises TimeoutError."""
    took = wait_for(condition, seconds)
    if took is None:
        raise TimeoutError(f"not within {seconds:.0f} s: {what}")
    return took


def _line(answer: Json) -> Line:
    return Line(
        conversation=answer["conversationId"],
        participant=answer["participantId"],
        session=answer["sessionId"],
        user=answer["userId"],
    )

"""A contact centre and a gateway of one story's own, and what is played between them."""

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

import gevent
from gevent.pool import Pool

from tests.flow.running import BOFE_TOKEN, GatewayProcess, Simulator, free_port

ADDRESS = "/customers/supportInteraction"
_HANDS = 16


class Playing:
    """Processes that a story may break.

    Args:
        environ: Settings of the gateway beside those of every flow test.
    """

    def __init__(self, folder: Path, *simulator_arguments: str, **environ: str) -> None:
        self._folder = folder
        self._history_port = free_port()
        self._environ = {"COMMUNICATION_HISTORY_URL": f"http://127.0.0.1:{self._history_port}", **environ}
        self.simulator = Simulator(folder, "--history-port", str(self._history_port), *simulator_arguments)
        self.gateway = self.restarted()

    def restarted(self) -> GatewayProcess:
        """A gateway in the same folder, ready."""
        self.gateway = GatewayProcess(self._folder, self.simulator.url, **self._environ).until_ready()
        return self.gateway

    def close(self) -> None:
        """End both; a story that ended the gateway itself may have done so."""
        if self.gateway.process.poll() is None:
            self.gateway.kill()
        self.simulator.stop()

    # BOFE

    def register(self, conversation_id: str) -> tuple[int, dict[str, str]]:
        """Status and headers of the answer."""
        body = json.dumps({"customerId": str(uuid4()), "interactionId": conversation_id}).encode()
        headers = {"Authorization": f"Bearer {BOFE_TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.gateway.url + ADDRESS, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, dict(answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers)

    def view(self, conversation_id: str) -> Any:
        """What BOFE is shown."""
        headers = {"Authorization": f"Bearer {BOFE_TOKEN}"}
        request = urllib.request.Request(f"{self.gateway.url}{ADDRESS}/{conversation_id}", None, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    # The contact centre

    def control(self, method: str, path: str, body: object = None) -> Any:
        """One control call of the simulator."""
        return self.simulator.control(method, path, body)

    def followed(self, count: int, **conversation: object) -> list[str]:
        """So many conversations, registered and covered; their ids."""
        started = self.control("POST", "conversations", {**conversation, "count": count})["conversations"]
        ids = [one["conversationId"] for one in started]
        assert {status for status, _ in Pool(_HANDS).map(self.register, ids)} == {201}
        until(lambda: set(ids) <= self.listened(), 20)
        return ids

    def finish(self, ids: Iterable[str]) -> None:
        """The customers hang up and the agents are done."""
        Pool(_HANDS).map(self._finish, ids)

    def _finish(self, conversation_id: str) -> None:
        self.play(conversation_id, "end")
        self.play(conversation_id, "wrapup")

    def play(self, conversation_id: str, deed: str, **how: object) -> Any:
        """wrapup, end, transfer and others."""
        return self.control("POST", f"conversations/{conversation_id}/{deed}", how)

    def fault(self, name: str, **how: object) -> None:
        """Break something."""
        self.control("POST", "faults", {"name": name, **how})

    def receive(self, mode: str, **how: object) -> None:
        """How CommunicationHistory treats what comes."""
        self.control("POST", "history/mode", {"mode": mode, **how})

    # What happened

    def listened(self) -> set[str]:
        """Conversations whose topic is on a channel with an open socket."""
        channels = self.control("GET", "channels")
        return {topic.split(".")[4] for one in channels if one["connected"] for topic in one["topics"]}

    def ledger(self, part: str) -> list[Any]:
        """finished, calls, sockets, evictions."""
        found: list[Any] = self.control("GET", f"ledger?part={part}")[part]
        return found

    def attempts(self) -> list[Any]:
        """Posts of records, whatever became of them."""
        found: list[Any] = self.control("GET", "history")["attempts"]
        return found

    def sources(self) -> Counter[str]:
        """How many records came live, how many by asking."""
        records = self.control("GET", "history")["records"]
        return Counter(one["record"]["body"]["eventSource"] for one in records)

    def until_clean(self, finished: int, seconds: float = 20.0) -> None:
        """Wait until so many after-call works are done, each recorded once; fails with what is wrong."""
        until(lambda: self._clean(finished), seconds)

    def _clean(self, finished: int) -> bool:
        balance = self.control("GET", "balance")
        return bool(balance["clean"]) and balance["storedOnce"] == finished

    def subscription_calls(self) -> int:
        """Calls that changed a channel's list."""
        calls = self.ledger("calls")
        return sum(one["path"].endswith("/subscriptions") and one["method"] != "GET" for one in calls)

    def socket_events(self, event: str) -> int:
        """How often that happened to a socket: opened, closed, kicked."""
        return sum(one["event"] == event for one in self.ledger("sockets"))


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Ask over HTTP now and then until it holds; fails after so many seconds."""
    with gevent.Timeout(seconds, AssertionError("it did not happen in time")):
        while not condition():
            gevent.sleep(0.05)

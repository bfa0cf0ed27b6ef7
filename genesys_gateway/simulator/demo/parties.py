"""The two other sides over HTTP: the simulated contact centre, and the gateway as BOFE sees it.

Law: every call is bounded; anything but the expected answer is DemoFailed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from genesys_gateway.simulator.demo.errors import DemoFailed
from genesys_gateway.simulator.demo.story import Agent

_SECONDS = 10.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnTheLine:
    """An agent in a conversation, with the ids of Genesys."""

    conversation_id: str
    participant_id: str
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedUp:
    """An end of after-call work, as the contact centre announced it."""

    #: conversation/participant/session
    key: str
    #: epoch milliseconds
    at: int
    #: sockets the event was written to
    heard: int


class Http:
    """One server.

    Args:
        url: Its base URL.
        token: Bearer token for every call.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token is not None else {}

    def answers(self, path: str) -> bool:
        """Whether it answers 2xx now."""
        try:
            return self._ask("GET", path).ok
        except requests.RequestException:
            return False

    def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> tuple[int, Any]:
        """Status and JSON of a 2xx answer.

        Raises:
            DemoFailed: There is no answer, or another one.
        """
        try:
            reply = self._ask(method, path, body)
        except requests.RequestException as error:
            raise DemoFailed(f"{method} {self.url}{path} got no answer: {type(error).__name__}") from error
        if not 200 <= reply.status_code < 300:
            raise DemoFailed(f"{method} {self.url}{path} was answered {reply.status_code}: {reply.text[:300]}")
        return reply.status_code, reply.json()

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> requests.Response:
        # A connection for each call: one left open would be waited for when the gateway is told to end.
        with requests.Session() as session:
            session.trust_env = False  # a proxy of the environment has no business on this machine
            return session.request(
                method, self.url + path, json=body, headers=self._headers, timeout=_SECONDS, allow_redirects=False
            )


class ContactCentre:
    """The simulator's control side: what agents and customers do, and what it has seen."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def name_wrapup_code(self, code: str, name: str) -> None:
        """A wrap-up code gets its name."""
        self._http.call("POST", "/_sim/wrapup-codes", {"id": code, "name": name})

    def start(self, conversation: Mapping[str, object], agent: Agent) -> OnTheLine:
        """A customer and an agent begin to speak."""
        _, answer = self._http.call("POST", "/_sim/conversations", {**conversation, **_as_agent(agent)})
        return _on_the_line(answer["conversationId"], answer)

    def transfer(self, conversation_id: str, agent: Agent) -> OnTheLine:
        """That agent takes over; the one before has after-call work to do now."""
        return _on_the_line(conversation_id, self._play(conversation_id, "transfer", _as_agent(agent)))

    def wrap_up(self, who: OnTheLine, agent: Agent) -> WrappedUp:
        """The agent's after-call work is done, and announced."""
        body = {"participantId": who.participant_id, "code": agent.wrapup_code, "notes": agent.notes}
        answer = self._play(who.conversation_id, "wrapup", body)
        return WrappedUp(key=answer["recordKey"], at=answer["event"]["eventBody"]["eventTime"], heard=answer["heard"])

    def end(self, conversation_id: str) -> None:
        """The customer goes."""
        self._play(conversation_id, "end", {})

    def records(self) -> list[Json]:
        """What the communication history holds, in the order it came: receivedAt, idempotencyKey, record."""
        _, answer = self._http.call("GET", "/_sim/history")
        return list(answer["records"])

    def channel_of(self, conversation_id: str) -> str | None:
        """The connected channel that listens for this conversation's after-call work."""
        _, channels = self._http.call("GET", "/_sim/channels")
        topic = f"v2.detail.events.conversation.{conversation_id}.acw"
        return next((str(c["id"]) for c in channels if c["connected"] and topic in c["topics"]), None)

    def calls(self) -> list[Json]:
        """Every call it has answered: method, path, status."""
        _, answer = self._http.call("GET", "/_sim/ledger?part=calls")
        return list(answer["calls"])

    def _play(self, conversation_id: str, play: str, body: Mapping[str, object]) -> Json:
        _, answer = self._http.call("POST", f"/_sim/conversations/{conversation_id}/{play}", body)
        return dict(answer)


class Gateway:
    """The gateway as BOFE calls it."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def register(self, customer_id: str, interaction_id: str) -> tuple[int, Json]:
        """This interaction is that customer's."""
        return self._http.call(
            "POST", "/customers/supportInteraction", {"customerId": customer_id, "interactionId": interaction_id}
        )

    def view(self, interaction_id: str) -> Json:
        """What the gateway knows of it."""
        _, answer = self._http.call("GET", f"/customers/supportInteraction/{interaction_id}")
        return dict(answer)


def _as_agent(agent: Agent) -> Json:
    return {"agent": {"userId": agent.user[0], "name": agent.name}}


def _on_the_line(conversation_id: str, answer: Json) -> OnTheLine:
    return OnTheLine(
        conversation_id=conversation_id, participant_id=answer["participantId"], session_id=answer["sessionId"]
    )

"""HTTP clients of the simulated contact centre and of the gateway.

Invariant: every call has a time limit, and any answer but the expected one raises DemoFailed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import requests

from genesys_gateway.simulator.demo.errors import DemoFailed
from genesys_gateway.simulator.demo.scenarios import Agent

#: Time limit of one call.
_TIMEOUT_SECONDS = 10.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedAgent:
    """An agent's part in a conversation, with Genesys's ids."""

    conversation_id: str
    participant_id: str
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedWork:
    """A finished after-call work, as the contact centre announced it."""

    #: conversation/participant/session
    key: str
    #: epoch milliseconds
    at: int
    #: number of sockets to which the event was written
    sockets: int


class Http:
    """Calls one server.

    Args:
        url: Its base URL.
        token: Bearer token for every call.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token is not None else {}

    def answers(self, path: str) -> bool:
        """Whether the server answers now with a status below 400."""
        try:
            return self._send("GET", path).ok
        except requests.RequestException:
            return False

    def call(
        self, method: str, path: str, body: Mapping[str, object] | None = None, also: Collection[int] = ()
    ) -> tuple[int, Any]:
        """Return status and JSON of an answer.

        Raises:
            DemoFailed: There is no answer, or its status is neither 2xx nor one of ``also``.
        """
        try:
            reply = self._send(method, path, body)
        except requests.RequestException as error:
            raise DemoFailed(f"{method} {self.url}{path} got no answer: {type(error).__name__}") from error
        if not (200 <= reply.status_code < 300 or reply.status_code in also):
            raise DemoFailed(f"{method} {self.url}{path} was answered {reply.status_code}: {reply.text[:300]}")
        return reply.status_code, reply.json()

    def _send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> requests.Response:
        # A connection for each call: a stopping gateway would wait for an open one.
        with requests.Session() as session:
            session.trust_env = False  # calls on this machine must not go through a proxy of the environment
            return session.request(
                method,
                self.url + path,
                json=body,
                headers=self._headers,
                timeout=_TIMEOUT_SECONDS,
                allow_redirects=False,
            )


class ContactCentre:
    """The simulator's control API: actions of agents and customers, and what the simulator has recorded."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def name_wrapup_code(self, code: str, name: str) -> None:
        """Set the name of a wrap-up code."""
        self._http.call("POST", "/_sim/wrapup-codes", {"id": code, "name": name})

    def start(self, conversation: Mapping[str, object], agent: Agent) -> ConnectedAgent:
        """Start a conversation of a customer with an agent."""
        _, answer = self._http.call("POST", "/_sim/conversations", {**conversation, **_agent_json(agent)})
        return _connected_agent(answer["conversationId"], answer)

    def transfer(self, conversation_id: str, agent: Agent) -> ConnectedAgent:
        """Transfer the conversation to an agent; the previous agent then has after-call work to do."""
        return _connected_agent(conversation_id, self._act(conversation_id, "transfer", _agent_json(agent)))

    def wrap_up(self, connected: ConnectedAgent, agent: Agent) -> FinishedWork:
        """Finish and announce the after-call work of an agent."""
        body = {"participantId": connected.participant_id, "code": agent.wrapup_code, "notes": agent.notes}
        answer = self._act(connected.conversation_id, "wrapup", body)
        at = answer["event"]["eventBody"]["eventTime"]
        return FinishedWork(key=answer["recordKey"], at=at, sockets=answer["heard"])

    def end(self, conversation_id: str) -> None:
        """Let the customer end the conversation."""
        self._act(conversation_id, "end", {})

    def records(self) -> list[Json]:
        """Return all stored records in the order of their arrival: receivedAt, idempotencyKey, record."""
        _, answer = self._http.call("GET", "/_sim/history")
        return list(answer["records"])

    def channel_of(self, conversation_id: str) -> str | None:
        """Return the connected channel that is subscribed to this conversation's after-call work."""
        _, channels = self._http.call("GET", "/_sim/channels")
        topic = f"v2.detail.events.conversation.{conversation_id}.acw"
        return next((str(c["id"]) for c in channels if c["connected"] and topic in c["topics"]), None)

    def calls(self) -> list[Json]:
        """Return every call that the simulator has answered: method, path, status."""
        _, answer = self._http.call("GET", "/_sim/ledger?part=calls")
        return list(answer["calls"])

    def control(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Json:
        """Make any call of the control API; ``path`` is what follows ``/_sim``."""
        _, answer = self._http.call(method, f"/_sim{path}", body)
        return dict(answer)

    def state(self) -> Json:
        """Return the simulated world in numbers."""
        return self.control("GET", "/state")

    def _act(self, conversation_id: str, action: str, body: Mapping[str, object]) -> Json:
        _, answer = self._http.call("POST", f"/_sim/conversations/{conversation_id}/{action}", body)
        return dict(answer)


class Gateway:
    """The gateway's HTTP interface, called as BOFE calls it."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def register(self, customer_id: str, interaction_id: str) -> tuple[int, Json]:
        """Register an interaction of a customer; return status and answer."""
        return self._http.call(
            "POST", "/customers/supportInteraction", {"customerId": customer_id, "interactionId": interaction_id}
        )

    def try_to_register(self, customer_id: str, interaction_id: str) -> bool:
        """Register it unless the gateway can't now; return whether it did. BOFE then comes again."""
        body = {"customerId": customer_id, "interactionId": interaction_id}
        status, _ = self._http.call("POST", "/customers/supportInteraction", body, also=(503,))
        return status < 300

    def view(self, interaction_id: str) -> Json:
        """Return the gateway's view of an interaction."""
        _, answer = self._http.call("GET", f"/customers/supportInteraction/{interaction_id}")
        return dict(answer)


class Operators:
    """The operators' JSON of the gateway."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def status(self) -> Json | None:
        """Return what the dashboard shows at its top: promise, backlog, troubles; None while the gateway starts."""
        code, answer = self._http.call("GET", "/ops/api/status", also=(503,))
        return dict(answer) if code == 200 else None

    def requeue(self, reason: str) -> int:
        """Have all records sent again that are dead for this reason; return their number."""
        _, answer = self._http.call("POST", "/ops/api/records/requeue", {"reason": reason})
        return int(answer["requeued"])


def _agent_json(agent: Agent) -> Json:
    return {"agent": {"userId": agent.user[0], "name": agent.name}}


def _connected_agent(conversation_id: str, answer: Json) -> ConnectedAgent:
    return ConnectedAgent(
        conversation_id=conversation_id, participant_id=answer["participantId"], session_id=answer["sessionId"]
    )

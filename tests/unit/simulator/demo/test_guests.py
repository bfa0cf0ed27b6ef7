"""The demo's own conversations beside the traffic: which steps they take, and when."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from genesys_gateway.simulator.demo.clients import ContactCentre, Gateway
from genesys_gateway.simulator.demo.guests import Guests
from genesys_gateway.simulator.demo.scenarios import SCENARIOS

_ROUND = len(SCENARIOS)


class Recorded:
    """Answers every call, and remembers what was done."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.refuses = 0

    def call(self, method: str, path: str, body: Mapping[str, object] | None = None, also: object = ()) -> Any:
        if path == "/customers/supportInteraction":
            self.refuses -= 1
            status = 503 if self.refuses >= 0 else 201
            self.done["register" if status == 201 else "refused"] += 1
            return status, {}
        self.done[path.rpartition("/")[2]] += 1
        event = {"eventBody": {"eventTime": 0}}
        ids = {"conversationId": f"c{self.done.total()}", "participantId": "p", "sessionId": "s"}
        return 200, {**ids, "recordKey": "c/p/s", "event": event, "heard": 1}


def played(http: Recorded, seconds: int, rush: int = 0) -> Counter[str]:
    """What the guests do within that time."""
    guests = Guests(contact_centre=ContactCentre(cast(Any, http)), gateway=Gateway(cast(Any, http)))
    guests.rush(rush)
    for moment in range(seconds):
        guests.play(moment)
    return http.done


def test_conversations_begin_are_registered_wrapped_up_and_ended() -> None:
    done = played(Recorded(), 600)

    begun = done["conversations"]
    assert begun == done["register"] == 600 // 5
    assert done["transfer"] >= begun // _ROUND - 1
    assert begun - 8 <= done["end"] <= begun
    assert done["wrapup"] >= done["end"] + done["transfer"] - 8


def test_a_rush_begins_at_once() -> None:
    assert played(Recorded(), 1, rush=150)["register"] == 151


def test_what_the_gateway_cannot_register_now_is_registered_later() -> None:
    http = Recorded()
    http.refuses = 1

    done = played(http, 10)

    assert (done["refused"], done["conversations"], done["register"]) == (1, 2, 2)

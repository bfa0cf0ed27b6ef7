"""Does CommunicationHistory take what we send, and keep it under the id we give it?"""

from collections.abc import Iterator
from uuid import uuid4

import orjson

from genesys_gateway.commands.check.findings import Finding, good, skipped, wrong
from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.domain.record import FirstAttemptFacts, Record, Rules, build
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import TransientFailure
from genesys_gateway.runtime.http_client import HttpClient, Reply
from genesys_gateway.settings import Settings

_PATH = "/communicationRecords"
_AREA = "history"
_TITLE = "Probe of Genesys-gateway, written by its command check; no communication"
_LOOK_THERE = "look at CommunicationHistory itself"
_CHECK_URL = "check COMMUNICATION_HISTORY_URL: records go to …/communicationRecords below it"
_NO_LOOKUP = frozenset({405, 501})


class _History:
    """Calls with our token."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._http = HttpClient(settings, settings.communication_history_url, clock, 1)
        token = settings.communication_history_token
        self._headers = {} if token is None else {"Authorization": f"Bearer {token.reveal()}"}

    def get(self, path: str) -> Reply:
        """Raises Delayed when there is no answer."""
        return self._http.call("GET", path, headers=self._headers)

    def post(self, record: Record) -> Reply:
        """Raises Delayed when there is no answer."""
        headers = {**self._headers, "Idempotency-Key": str(record["id"])}
        return self._http.call("POST", _PATH, headers=headers, json=record)


def inspect(settings: Settings, clock: Clock, *, write_probe: bool) -> Iterator[Finding]:
    """One finding about reading; with ``write_probe`` one about writing, which leaves a record there."""
    history = _History(settings, clock)
    try:
        reading = _reading(history)
        # Only a write can tell an address without anything from a receiver that answers no questions.
        if not write_probe:
            yield reading
            yield skipped("history keeps our id", "nothing was written", "--write-probe writes a record to see")
        else:
            yield from _writing(history, build_probe(clock.now()), reading)
    except TransientFailure as error:
        yield wrong(_AREA, f"no answer: {error}", _LOOK_THERE)


def _reading(history: _History) -> Finding:
    status = history.get(f"{_PATH}/{uuid4()}").status
    if status == 404 and history.get(_PATH).status == 404:
        return wrong(_AREA, "there seems to be nothing at the address", f"{_CHECK_URL}; --write-probe tells for sure")
    if status in (200, 404):
        return good(_AREA, "answers questions about records")
    if status in _NO_LOOKUP:
        return good(_AREA, "answers; it can't be asked about single records, so it must tell repetitions by their id")
    if status in (401, 403):
        return wrong(_AREA, f"it answered {status}", "check COMMUNICATION_HISTORY_TOKEN and what it allows")
    if 300 <= status < 400:
        return wrong(_AREA, f"it redirects ({status}), which is never followed", _CHECK_URL)
    return wrong(_AREA, f"it answered {status}", _LOOK_THERE)


def _writing(history: _History, probe: Record, reading: Finding) -> Iterator[Finding]:
    status = history.post(probe).status
    if not 200 <= status < 300:
        advice = "check COMMUNICATION_HISTORY_TOKEN and what it allows" if status in (401, 403) else _CHECK_URL
        yield wrong(_AREA, f"it refused a probe with {status}", advice if status < 500 else _LOOK_THERE)
        return
    yield good(_AREA, "took a probe") if reading.advice else reading
    repeated = history.post(probe).status
    if not (200 <= repeated < 300 or repeated == 409):
        yield wrong("history keeps our id", f"it refused the same probe again with {repeated}", _LOOK_THERE)
        return
    yield _kept(history.get(f"{_PATH}/{probe['id']}"), str(probe["id"]))


def _kept(reply: Reply, record_id: str) -> Finding:
    area = "history keeps our id"
    if reply.status in _NO_LOOKUP:
        return skipped(area, f"it can't be asked (the probe is {record_id})", "look there: it must be there once")
    if reply.status == 200 and _id(reply) in (record_id, None):
        return good(area, f"the probe {record_id} is there")
    return wrong(
        area,
        f"it took the probe {record_id} and does not show it under that id ({reply.status})",
        "it must store records under the id we give, or a repetition after a lost answer becomes a second record",
    )


def _id(reply: Reply) -> str | None:
    """The id a record says it has; None when it says none."""
    try:
        record = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return None
    found = record.get("id") if isinstance(record, dict) else None
    return found.lower() if isinstance(found, str) else None


def build_probe(now: int) -> Record:
    """A record like any other, of nobody."""
    event = AcwEvent(conversation_id=str(uuid4()), subject=_TITLE, event_time=now)
    return build(str(uuid4()), event, "live", now, FirstAttemptFacts(), Rules())

"""Checks that CommunicationHistory accepts our records and keeps them under the id that we send."""

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
_LOOK_THERE = "look into CommunicationHistory itself"
_CHECK_URL = "check COMMUNICATION_HISTORY_URL: records go to …/communicationRecords below it"
#: Answers of a receiver that does not offer to look up a single record.
_NO_LOOKUP = frozenset({405, 501})


class _History:
    """CommunicationHistory, called with our token. Every method raises TransientFailure when there is no answer."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._http = HttpClient(settings, settings.communication_history_url, clock, 1)
        token = settings.communication_history_token
        self._headers = {} if token is None else {"Authorization": f"Bearer {token.reveal()}"}

    def get(self, path: str) -> Reply:
        return self._http.call("GET", path, headers=self._headers)

    def post(self, record: Record) -> Reply:
        headers = {**self._headers, "Idempotency-Key": str(record["id"])}
        return self._http.call("POST", _PATH, headers=headers, json=record)


def inspect(settings: Settings, clock: Clock, *, write_probe: bool) -> Iterator[Finding]:
    """Yield findings about reading and, with ``write_probe``, about writing, which leaves a record there."""
    history = _History(settings, clock)
    try:
        reading = _check_reading(history)
        # Only a write can distinguish a wrong address from a receiver that offers no lookup.
        if not write_probe:
            yield reading
            yield skipped("history keeps our id", "nothing was written", "--write-probe writes a record to check this")
        else:
            yield from _check_writing(history, build_probe(clock.now()), reading)
    except TransientFailure as error:
        yield wrong(_AREA, f"no answer: {error}", _LOOK_THERE)


def _check_reading(history: _History) -> Finding:
    status = history.get(f"{_PATH}/{uuid4()}").status
    if status == 404 and history.get(_PATH).status == 404:
        return wrong(
            _AREA, "there seems to be nothing at the address", f"{_CHECK_URL}; --write-probe shows it for certain"
        )
    if status in (200, 404):
        return good(_AREA, "answers lookups of records")
    if status in _NO_LOOKUP:
        return good(_AREA, "answers; it offers no lookup of records, so it must recognise repetitions by their id")
    if status in (401, 403):
        return wrong(_AREA, f"it answered {status}", "check COMMUNICATION_HISTORY_TOKEN and what it allows")
    if 300 <= status < 400:
        return wrong(_AREA, f"it redirects ({status}), which is never followed", _CHECK_URL)
    return wrong(_AREA, f"it answered {status}", _LOOK_THERE)


def _check_writing(history: _History, probe: Record, reading: Finding) -> Iterator[Finding]:
    status = history.post(probe).status
    if not 200 <= status < 300:
        advice = "check COMMUNICATION_HISTORY_TOKEN and what it allows" if status in (401, 403) else _CHECK_URL
        yield wrong(_AREA, f"it refused a probe with {status}", advice if status < 500 else _LOOK_THERE)
        return
    yield good(_AREA, "accepted a probe") if reading.advice else reading
    repeated = history.post(probe).status
    if not (200 <= repeated < 300 or repeated == 409):
        yield wrong("history keeps our id", f"it refused the same probe again with {repeated}", _LOOK_THERE)
        return
    yield _check_id(history.get(f"{_PATH}/{probe['id']}"), str(probe["id"]))


def _check_id(reply: Reply, record_id: str) -> Finding:
    area = "history keeps our id"
    if reply.status in _NO_LOOKUP:
        return skipped(
            area, f"it offers no lookup of the probe {record_id}", "look there: it must be there exactly once"
        )
    if reply.status == 200 and _id_in(reply) in (record_id, None):
        return good(area, f"the probe {record_id} is there")
    return wrong(
        area,
        f"it accepted the probe {record_id} but does not show it under that id ({reply.status})",
        "it must store records under the id we send, or a repetition after a lost answer becomes a second record",
    )


def _id_in(reply: Reply) -> str | None:
    """The id inside the record that was answered; None without one."""
    try:
        record = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return None
    found = record.get("id") if isinstance(record, dict) else None
    return found.lower() if isinstance(found, str) else None


def build_probe(now: int) -> Record:
    """A valid record that belongs to no customer."""
    event = AcwEvent(conversation_id=str(uuid4()), subject=_TITLE, event_time=now)
    return build(str(uuid4()), event, "live", now, FirstAttemptFacts(), Rules())

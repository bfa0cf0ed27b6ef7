"""How long the hub is held while a large answer of Genesys is read and judged, and what that costs beside orjson.

Run it as ``python -m tests.benchmarks.large_answers``. The times are those of the processor, so that other work on the
machine does not count. Compare the figures of one run with each other, never with those of another machine.
"""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import orjson

from genesys_gateway.genesys import analytics, live_view
from genesys_gateway.genesys.call import load, read_object
from genesys_gateway.genesys.schemas.channels import TOPICS
from genesys_gateway.reconciliation import evidence
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.http_client import HttpClient
from tests.doubles import environment
from tests.harness.processes import free_port

ROUNDS = 3
#: Milliseconds for which nobody may hold the hub.
PROMISED = 20.0

_FUTURE = 10**13
_BEGAN, _ENDED = "2026-11-27T10:00:00.000Z", "2026-11-27T10:01:00.000Z"


def new_id() -> str:
    """An id as Genesys makes them."""
    return str(uuid.uuid4())


def metric() -> dict[str, Any]:
    """A metric of a session."""
    return {"emitDate": _BEGAN, "name": "tTalk", "value": 1234}


def segment() -> dict[str, Any]:
    """A segment that is no wrap-up."""
    return {
        "segmentStart": _BEGAN,
        "segmentEnd": _ENDED,
        "segmentType": "interact",
        "queueId": new_id(),
        "conference": False,
        "disconnectType": "client",
        "errorCode": None,
        "subject": None,
    }


def session(segments: int, metrics: int) -> dict[str, Any]:
    """A session with one wrap-up."""
    wrapup = {"segmentStart": _BEGAN, "segmentEnd": _ENDED, "segmentType": "wrapup", "wrapUpCode": new_id()}
    return {
        "sessionId": new_id(),
        "mediaType": "message",
        "messageType": "whatsapp",
        "direction": "inbound",
        "ani": "+639171234567",
        "provider": "PureCloud Messaging",
        "metrics": [metric() for _ in range(metrics)],
        "segments": [*(segment() for _ in range(segments)), wrapup],
    }


def bulk(conversations: int, agents: int, sessions: int, segments: int, metrics: int) -> bytes:
    """An answer of analytics of so many conversations, each with so many agents, and so on."""

    def agent() -> dict[str, Any]:
        legs = [session(segments, metrics) for _ in range(sessions)]
        return {"participantId": new_id(), "userId": new_id(), "purpose": "agent", "sessions": legs}

    def conversation() -> dict[str, Any]:
        participants = [agent() for _ in range(agents)]
        return {"conversationId": new_id(), "conversationEnd": _ENDED, "participants": participants}

    return orjson.dumps({"conversations": [conversation() for _ in range(conversations)]})


def live(agents: int, calls: int) -> bytes:
    """A live answer about one conversation."""

    def call() -> dict[str, Any]:
        acw = {"state": "complete", "startTime": _BEGAN, "endTime": _ENDED}
        wrapup = {"code": new_id(), "notes": "n" * 200, "durationSeconds": 60, "endTime": _ENDED}
        return {"id": new_id(), "state": "terminated", "direction": "inbound", "afterCallWork": acw, "wrapup": wrapup}

    participants = [
        {"id": new_id(), "userId": new_id(), "purpose": "agent", "calls": [call() for _ in range(calls)]}
        for _ in range(agents)
    ]
    return orjson.dumps({"id": new_id(), "endTime": _ENDED, "participants": participants})


def topic_list(topics: int) -> bytes:
    """A channel's topic list."""
    entities = [{"id": f"v2.detail.events.conversation.{new_id()}.acw", "state": "Permitted"} for _ in range(topics)]
    return orjson.dumps({"entities": entities})


def half_a_smile(body: bytes) -> bytes:
    """The same answer with half an emoji in its last id but one, so that orjson refuses it."""
    return body[::-1].replace(b'"', b'"d38du\\', 1)[::-1]


def conclude_from_bulk(body: bytes) -> None:
    """Read an answer of analytics, and find all after-call work that is done."""
    for details in analytics.details_from_answer(body):
        evidence.finished_acw(details, _FUTURE)


def conclude_from_live(body: bytes) -> None:
    """Read a live answer, and judge it."""
    evidence.judge(live_view.from_answer(body))


def held(read: Callable[[], object]) -> tuple[float, float]:
    """Run it once; the processor's milliseconds of all of it, and of its longest stretch without a pause."""
    longest, over = 0.0, False

    def tick() -> None:
        nonlocal longest
        while not over:
            before = time.thread_time()
            gevent.sleep(1e-7)
            longest = max(longest, time.thread_time() - before)

    ticker = gevent.spawn(tick)
    gevent.sleep(0.01)
    longest, begun = 0.0, time.thread_time()
    read()
    took = time.thread_time() - begun
    gevent.sleep(0.001)
    over = True
    ticker.join()
    return took * 1000, longest * 1000


def measure(name: str, body: bytes, read: Callable[[bytes], object]) -> bool:
    """Print one line of the table; whether it kept the promise."""
    rounds = [held(lambda: read(body)) for _ in range(ROUNDS)]
    begun = time.thread_time()
    orjson.loads(body.replace(b"\\ud83d", b""))
    alone = (time.thread_time() - begun) * 1000
    took, longest = (min(figures) for figures in zip(*rounds, strict=True))
    print(f"{name:55} {len(body) / 1e6:6.2f} MB {alone:9.1f} {took:9.1f} {longest:9.1f}")
    return bool(longest <= PROMISED)


def measure_body(body: bytes) -> bool:
    """The same for receiving it over TCP from another process."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "body").write_bytes(body)
        port = free_port()
        command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", folder]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                gevent.sleep(2)
                http = HttpClient(environment.read(), f"http://127.0.0.1:{port}", SystemClock(), 1)
                return measure("receiving a body", body, lambda _: http.call("GET", "/body"))
            finally:
                server.terminate()


def main() -> int:
    """Measure and print the table; 1 if the hub was held for longer than promised."""
    print(f"{'processor time in ms':55} {'':9} {'orjson':>9} {'read':>9} {'held':>9}")
    large = bulk(50, 10, 2, 15, 15)
    kept = [
        measure("bulk: 50 conversations, 20 sessions each", large, conclude_from_bulk),
        measure("... one half of a character in it", half_a_smile(large), conclude_from_bulk),
        measure("bulk: 50 conversations, 2 sessions each", bulk(50, 2, 1, 3, 8), conclude_from_bulk),
        measure(
            "bulk: one conversation, an agent with 5,000 sessions",
            bulk(1, 1, 5000, 1, 4),
            conclude_from_bulk,
        ),
        measure("bulk: one conversation, 5,000 agents", bulk(1, 5000, 1, 1, 4), conclude_from_bulk),
        measure("bulk: one session with 20,000 segments", bulk(1, 1, 1, 20_000, 4), conclude_from_bulk),
        measure("live: 5,000 agents", live(5000, 1), conclude_from_live),
        measure("live: an agent with 8,000 legs", live(1, 8000), conclude_from_live),
        measure("topic list: 1,000", topic_list(1000), lambda body: load(TOPICS, read_object(body))),
        measure("topic list: 10,000", topic_list(10_000), lambda body: load(TOPICS, read_object(body))),
        measure_body(large),
    ]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())

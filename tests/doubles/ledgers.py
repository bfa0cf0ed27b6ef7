"""Entries of the simulator's ledger that are made up."""

from typing import Any

from tests.harness.judge import record_id


def conversation(**times: int | None) -> dict[str, Any]:
    """A conversation to which nothing happened but what is given, in epoch ms."""
    names = ("began", "told", "registered", "listened", "unheard", "finished", "ended")
    return {"conversationId": "c", **dict.fromkeys(names), **times}


def work(name: str, at: int, *, expected: bool = True) -> dict[str, Any]:
    """A finished after-call work."""
    return {"recordKey": f"{name}/p/s", "at": at, "expected": expected}


def record(name: str, at: str, source: str = "live") -> dict[str, Any]:
    """The record of the work with that name, stored at an ISO time."""
    return {"receivedAt": at, "record": {"id": record_id(f"{name}/p/s"), "body": {"eventSource": source}}}


def call(method: str, path: str, at: int = 0, status: int = 200) -> dict[str, Any]:
    """A call of the API."""
    return {"method": method, "path": f"/api/v2/{path}", "at": at, "status": status}

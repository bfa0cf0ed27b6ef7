"""The account of one conversation as JSON: everything that is known of it, and what it means.

Invariant: pure. It is the same from the command ``why --json`` and over HTTP.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeGuard

from genesys_gateway.oversight.explanation import Explanation
from genesys_gateway.oversight.last_error import shown
from genesys_gateway.runtime.clock import isoformat
from genesys_gateway.storage.statements.inspection import ConversationFacts


def account(facts: ConversationFacts, explanation: Explanation) -> dict[str, Any]:
    """The facts about one conversation, each record and each line of its timeline with its sentence."""
    fields = asdict(facts)
    records, items = [_record(one) for one in fields.pop("records")], fields.pop("timeline")
    sentences = {name: getattr(explanation, name) for name in ("state", "coverage", "owner", "customer", "awaited")}
    return {
        "interactionId": fields.pop("id"),
        **json_fields(fields),
        "explanation": sentences,
        "records": [json_fields(one) | {"text": text} for one, text in zip(records, explanation.records, strict=True)],
        "timeline": [json_fields(one) | {"text": text} for one, text in zip(items, explanation.timeline, strict=True)],
    }


def _record(fields: Mapping[str, Any]) -> dict[str, object]:
    """The fields of a record with its last error as lists name it, so that all that are alike can be requeued by it."""
    return {**fields, "last_error": shown(fields["reason"], fields["last_error"])}


def json_fields(values: Mapping[str, object]) -> dict[str, object]:
    """The values as in our HTTP answers: names in camel case, times (epoch milliseconds) in ISO 8601."""
    return {_camel(name): isoformat(v) if _is_time(v, name) else v for name, v in values.items()}


def _is_time(value: object, name: str) -> TypeGuard[int]:
    return name.rpartition("_")[2] in ("now", "at", "since", "until", "time") and type(value) is int


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)

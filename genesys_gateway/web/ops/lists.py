"""The pages about conversations and records: lists, one conversation, one record, dead letters by their reasons.

Invariant: nothing is decided here: each view reads the request, calls one use case and shows what it returns. What
changes something is a POST, after which the browser is led to a page that it may load again.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, g, make_response, redirect, request
from markupsafe import Markup

from genesys_gateway.oversight.explanation import explain
from genesys_gateway.oversight.paging import Page
from genesys_gateway.oversight.records import HIDDEN, ShownRecord
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage.statements.outbox import DEAD
from genesys_gateway.web import problems
from genesys_gateway.web.ops import access, forms, query
from genesys_gateway.web.ops.templating import page_of
from genesys_gateway.web.ops.words import told
from genesys_gateway.web.routes import serving_gateway
from genesys_gateway.web.schemas.ops import CONVERSATION_STATES, RECORD_STATES

blueprint = Blueprint("ops_lists", __name__, url_prefix="/ops")

#: Number of lines of a page.
_LINES = 50
_NO_BEGINNING = "An interaction id consists of hexadecimal digits and dashes, as in 3e2c5b9a-6f0e."
_NO_ID = (
    "Give a whole record id: 36 hexadecimal digits and dashes. A conversation is found by the beginning of its id, too."
)
_NOT_DEAD = "It could not be requeued: it is not dead any more, or its content was erased."
#: How far the clocks of two instances may differ, in milliseconds.
_SKEW_MS = 60_000
_ID = re.compile("([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_LINK, _CODE = Markup('<a class="id" href="/ops/records/{0}">{0}</a>'), Markup("<code>{}</code>")
_clock = SystemClock()


@blueprint.get("/conversations")
@access.page
def conversations() -> Response:
    """Conversations, newest first; a whole id leads to its conversation, or to its record."""
    text, state, cursor = _given("q"), _state(CONVERSATION_STATES), _given("cursor")
    unresolved = _given("outcome") is not None and query.only_unresolved()
    form = {"q": text or "", "chosen": state, "states": CONVERSATION_STATES, "unresolved": unresolved}
    if text is not None and not query.begins_an_id(text):
        return page_of("conversations.html", {**form, "wrong": _NO_BEGINNING, **_shown("conversations", None, {})}, 422)
    beginning = text and text.lower()
    if (address := _address_of(beginning)) is not None:
        return make_response(redirect(address, 303))
    find = partial(serving_gateway().conversations.page, state=state, beginning=beginning, unresolved=unresolved)
    page = query.of_list(lambda: find(cursor=cursor, limit=_LINES))
    filters = {"q": beginning, "state": state, "outcome": query.UNRESOLVED if unresolved else None}
    return page_of("conversations.html", {**form, "wrong": None, **_shown("conversations", page, filters)})


@blueprint.get("/conversations/<interaction_id>")
@access.page
def conversation(interaction_id: str) -> Response:
    """One conversation, as the command ``why`` tells it."""
    facts = serving_gateway().conversations.facts(query.path_id("interactionId", interaction_id))
    if facts is None:
        raise problems.NeverRegistered
    words, own, now = explain(facts), {one.id for one in facts.records}, facts.now
    shown = {
        "facts": facts,
        "now": now,
        "given_up": [one.id for one in facts.records if one.state == DEAD and one.erased_at is None],
        "sentences": [_marked(one, now, own) for one in (words.state, words.coverage, words.owner, words.customer)],
        "awaited": [_marked(one, now, own) for one in words.awaited],
        "records": list(zip(facts.records, [_marked(one, now, own) for one in words.records], strict=True)),
        "timeline": [
            (item.at, _marked(f"{text[:1].upper()}{text[1:]}", now, own))
            for item, text in zip(facts.timeline, words.timeline, strict=True)
        ],
    }
    return page_of("conversation.html", shown)


@blueprint.get("/records")
@access.page
def records() -> Response:
    """Records, newest first; a whole id leads to its record, or to its conversation."""
    text, state, cursor = _given("q"), _state(RECORD_STATES), _given("cursor")
    form = {"q": text or "", "chosen": state, "states": RECORD_STATES, "wrong": None}
    if text is not None:
        if (address := _address_of(text.lower())) is not None:
            return make_response(redirect(address, 303))
        wrong = None if query.is_whole_id(text) else _NO_ID
        nothing = _shown("records", None, {})
        return page_of("records.html", {**form, "wrong": wrong, **nothing}, 200 if wrong is None else 422)
    page = query.of_list(lambda: serving_gateway().records.page(state=state, cursor=cursor, limit=_LINES))
    return page_of("records.html", {**form, **_shown("records", page, {"state": state})})


@blueprint.get("/dead-letters")
@access.page
def dead_letters() -> Response:
    """What was given up: by reason, and one by one."""
    cursor, requeued, at = _given("cursor"), _whole_number("requeued"), _whole_number("at")
    found = serving_gateway().records
    page = query.of_list(lambda: found.page(state="dead", cursor=cursor, limit=_LINES))
    told = {
        "reasons": found.reasons().items(),
        "requeued": requeued if at is not None and at <= _clock.now() + _SKEW_MS else None,
        "requeued_at": at,
    }
    return page_of("dead_letters.html", {**told, **_shown("dead-letters", page, {})})


@blueprint.post("/dead-letters/requeue")
@access.page
def requeue_alike() -> Response:
    """Have all records delivered again that were given up for one reason."""
    count = serving_gateway().records.requeue_alike(forms.fields().get("reason", ""), by=g.operator.name)
    # With its time, so that the page says what was true then however often it is loaded again.
    return make_response(redirect(f"/ops/dead-letters?requeued={count}&at={_clock.now()}", 303))


@blueprint.get("/records/<record_id>")
@access.page
def record(record_id: str) -> Response:
    """One record, masked."""
    one = query.found(serving_gateway().records.masked(query.path_id("recordId", record_id)))
    return _record(one, requeued=_given("requeued") is not None)


@blueprint.post("/records/<record_id>/reveal")
@access.page
def reveal(record_id: str) -> Response:
    """One record with what is personal; who asked for it is noted."""
    one = query.path_id("recordId", record_id)
    return _record(query.found(serving_gateway().records.reveal(one, by=g.operator.name)), revealed=True)


@blueprint.post("/records/<record_id>/requeue")
@access.page
def requeue(record_id: str) -> Response:
    """Have one record delivered again."""
    one = query.path_id("recordId", record_id)
    found = serving_gateway().records
    if query.found(found.requeue(one, by=g.operator.name)):
        return make_response(redirect(f"/ops/records/{one}?requeued=1", 303))
    return _record(query.found(found.masked(one)), 409, wrong=_NOT_DEAD)


def _record(
    one: ShownRecord, status: int = 200, *, revealed: bool = False, requeued: bool = False, wrong: str | None = None
) -> Response:
    values = {
        "record": one.listed,
        "shown": one,
        "fields": list(_fields(one.record or {})),
        "revealed": revealed,
        "requeued": requeued,
        "wrong": wrong,
        "now": _clock.now(),
    }
    return page_of("record.html", values, status)


def _marked(sentence: str, now: int, own: Collection[str]) -> Markup:
    """A sentence with its times as elements, and with its ids as code: those of its own records lead to them."""
    pieces = [
        (_LINK if one in own else _CODE).format(one) if n % 2 else told(one, now)
        for n, one in enumerate(_ID.split(sentence))
    ]
    return Markup("").join(pieces)


def _fields(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any, bool]]:
    """Each field of a record with its value, and whether that is masked; those of the body come last."""
    for name, value in values.items():
        if not isinstance(value, dict):
            yield f"{before}{name}", value, value == HIDDEN
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _fields(value, f"{before}{name}.")


def _address_of(text: str | None) -> str | None:
    """Where what has this id is shown, a conversation or a record; None if nothing has, or if it is no whole id."""
    if text is None or not query.is_whole_id(text):
        return None
    if serving_gateway().conversations.facts(text) is not None:
        return f"/ops/conversations/{text}"
    return None if serving_gateway().records.masked(text) is None else f"/ops/records/{text}"


def _given(name: str) -> str | None:
    """A parameter of the address; None if it is empty, as browsers send fields that were left out."""
    return request.args.get(name, "").strip() or None


def _whole_number(name: str) -> int | None:
    text = _given(name)
    return int(text) if text is not None and re.fullmatch("[0-9]{1,15}", text) else None


def _state(known: tuple[str, ...]) -> str | None:
    return query.state(known) if _given("state") else None


def _shown(path: str, page: Page[Any] | None, filters: Mapping[str, str | None]) -> dict[str, object]:
    """A page of a list, with the addresses of the first one, unless this is it, and of the next one, if any."""
    kept = {name: value for name, value in filters.items() if value}
    newest = f"/ops/{path}?{urlencode(kept)}" if page and _given("cursor") else None
    older = f"/ops/{path}?{urlencode({**kept, 'cursor': page.next})}" if page and page.next else None
    return {"items": page.items if page else (), "newest": newest, "older": older, "now": _clock.now()}

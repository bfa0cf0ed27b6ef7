"""The door: each address loads what came, calls one function and answers.

Law: nothing here decides or remembers anything, and 2xx is said only after the function has returned. Whatever is wrong
with a request is said before the gateway says that it can't serve: the caller need not wait to hear of it.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, Protocol, cast

import gevent
import orjson
from flask import Blueprint, Response, current_app, request
from marshmallow import Schema, ValidationError

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.intake import Registration, SupportResults
from genesys_gateway.intake.support_result import IntakeResult
from genesys_gateway.runtime.errors import Unavailable
from genesys_gateway.runtime.metrics import CONTENT_TYPE as METRICS_TYPE
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.settings import Settings
from genesys_gateway.web import json_body, problems
from genesys_gateway.web.auth import Guard
from genesys_gateway.web.schemas.replies import SupportInteractionReply, SupportResultReply
from genesys_gateway.web.schemas.requests import SupportInteractionRequest, SupportResultRequest, uuid

P = ParamSpec("P")

#: Key of what stands behind the door in ``app.extensions``; a test puts in a double.
GATEWAY = "genesys_gateway"
#: Key of the :class:`Guard` there.
GUARD = "genesys_gateway_guard"
#: Seconds a caller is told to wait while the gateway starts or ends.
_STARTING_RETRY = 2.0

_BOFE = frozenset({"bofe"})
_READERS = frozenset({"bofe", "ops"})
_BACKOFFICE = frozenset({"backoffice"})

blueprint = Blueprint("door", __name__)
_INTERACTION = SupportInteractionRequest()
_RESULT = SupportResultRequest()
_dump = SupportInteractionReply().dump
_dump_result = SupportResultReply().dump


class GatewayFacade(Protocol):
    """What the door needs of the gateway."""

    @property
    def registration(self) -> Registration:
        """The use case behind ``supportInteraction``."""

    @property
    def support_results(self) -> SupportResults:
        """The use case behind ``supportResult``."""

    @property
    def settings(self) -> Settings:
        """What it was made from."""

    @property
    def metrics(self) -> Metrics:
        """The numbers to show."""

    @property
    def serving(self) -> bool:
        """Whether requests can be served: started and not yet stopped. Still true while the worker drains."""

    def ready(self) -> bool:
        """Whether a commit works and no end is near."""


def _behind() -> GatewayFacade:
    return cast(GatewayFacade, current_app.extensions[GATEWAY])


def _serving() -> GatewayFacade:
    """What the door needs, or 503 while the gateway starts or waits for the lock of the process before it."""
    if not _behind().serving:
        raise Unavailable("the gateway is starting or ending", _STARTING_RETRY)
    return _behind()


def _for(roles: frozenset[str]) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """Admit callers with one of the roles only; a starting gateway refuses the others, too."""

    def decorate(view: Callable[P, Response]) -> Callable[P, Response]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
            _pass_through_the_loop()
            guard = cast(Guard, current_app.extensions[GUARD])
            guard.admit(request.headers.get("Authorization"), roles)
            return view(*args, **kwargs)

        return guarded

    return decorate


def _pass_through_the_loop() -> None:
    """A view that never waits would starve other greenlets under keep-alive load."""
    gevent.sleep(1e-7)


@blueprint.post("/customers/supportInteraction")
@_for(_BOFE)
def register() -> Response:
    """Register an interaction for a customer and have it followed."""
    pair = _loaded(_INTERACTION)
    registered = _serving().registration.register(pair["customer_id"], pair["interaction_id"])
    return _json(_dump(registered.view), 201 if registered.created else 200)


@blueprint.get("/customers/supportInteraction/<interaction_id>")
@_for(_READERS)
def show(interaction_id: str) -> Response:
    """What is known of an interaction."""
    try:
        canonical = uuid(interaction_id)
    except ValidationError as error:
        raise problems.InvalidRequest({"interactionId": list(error.messages)}) from error
    view = _serving().registration.view(canonical)
    if view is None:
        raise problems.NeverRegistered
    return _json(_dump(view))


@blueprint.post("/customers/supportResult")
@_for(_BACKOFFICE)
def take_result() -> Response:
    """Take what the old trigger tells of an after-call work."""
    result = AcwEvent(**_loaded(_RESULT))
    kept = _serving().support_results.take(result)
    return _json(_dump_result(kept), 202 if kept.taken is IntakeResult.STORED else 200)


@blueprint.get("/livez")
def livez() -> Response:
    """The process lives; nothing else is asked."""
    _pass_through_the_loop()
    return _json({"status": "alive"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """Whether a registration would be taken, and goes on being taken."""
    _pass_through_the_loop()
    if not _serving().ready():
        raise Unavailable("the disk refuses, or the process is ending", _STARTING_RETRY)
    return _json({"status": "ready"})


@blueprint.get("/metrics")
def metrics() -> Response:
    """For Prometheus."""
    _pass_through_the_loop()
    return Response(_serving().metrics.render(), content_type=METRICS_TYPE)


def _loaded(schema: Schema) -> dict[str, Any]:
    try:
        return cast(dict[str, Any], schema.load(json_body.read(request)))
    except ValidationError as error:
        raise problems.InvalidRequest(error.messages_dict) from error


def _json(value: Mapping[str, object], status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, content_type="application/json")

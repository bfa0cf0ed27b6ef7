"""The HTTP endpoints: each loads the request, calls one function and answers.

Invariant: nothing here decides or remembers anything, and 2xx is sent only after the function has returned. A wrong
request is rejected even while the gateway can't serve, so that the caller can correct it at once.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, Protocol, cast

import orjson
from flask import Blueprint, Response, current_app, request
from marshmallow import Schema, ValidationError

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.intake import Registration, SupportResults
from genesys_gateway.intake.support_result import IntakeResult
from genesys_gateway.oversight.conversations import Conversations
from genesys_gateway.oversight.hour import Hour
from genesys_gateway.oversight.records import Records
from genesys_gateway.oversight.status import Status
from genesys_gateway.oversight.watch import Watch
from genesys_gateway.runtime.errors import Unavailable
from genesys_gateway.runtime.greenlets import pause
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.settings import Settings
from genesys_gateway.web import json_body, problems
from genesys_gateway.web.auth import Guard
from genesys_gateway.web.schemas import replies
from genesys_gateway.web.schemas.requests import SupportInteractionRequest, SupportResultRequest, uuid

P = ParamSpec("P")

#: Key of the :class:`GatewayFacade` in ``app.extensions``; a test puts a double there.
GATEWAY = "genesys_gateway"
#: Key of the :class:`Guard` in ``app.extensions``.
GUARD = "genesys_gateway_guard"
#: Key in ``app.config`` of the seconds within which a whole body must arrive.
BODY_SECONDS = "BODY_SECONDS"
#: ``Retry-After`` in seconds while the gateway starts or ends.
_RETRY_SECONDS = 2.0

#: Roles that may call an endpoint.
_BOFE = frozenset({"bofe"})
_READERS = frozenset({"bofe", "ops"})
_BACKOFFICE = frozenset({"backoffice"})

_INTERACTION = SupportInteractionRequest()
_RESULT = SupportResultRequest()

blueprint = Blueprint("customers", __name__)


class GatewayFacade(Protocol):
    """The part of :class:`~genesys_gateway.gateway.Gateway` that the HTTP interface uses."""

    @property
    def registration(self) -> Registration:
        """The use case behind ``supportInteraction``."""

    @property
    def support_results(self) -> SupportResults:
        """The use case behind ``supportResult``."""

    @property
    def records(self) -> Records:
        """What operators see and do about records."""

    @property
    def conversations(self) -> Conversations:
        """What operators see of conversations."""

    @property
    def settings(self) -> Settings:
        """The settings that the gateway was made from."""

    @property
    def metrics(self) -> Metrics:
        """The metrics to render."""

    @property
    def hour(self) -> Hour:
        """What this instance did in the last hour."""

    @property
    def watch(self) -> Watch:
        """What is wrong now, and all that operators see; it answers also while nothing else is served."""

    @property
    def serving(self) -> bool:
        """Whether requests can be served: started and not yet stopped. It stays true while the worker drains."""

    def ready(self) -> bool:
        """Whether a commit works and the process is not about to end."""


def gateway() -> GatewayFacade:
    """The gateway, also while it starts or ends."""
    return cast(GatewayFacade, current_app.extensions[GATEWAY])


def serving_gateway() -> GatewayFacade:
    """The gateway. Answers 503 while it starts or waits for the lock of the previous process."""
    here = gateway()
    if not here.serving:
        raise Unavailable("the gateway is starting or ending", _RETRY_SECONDS)
    return here


def current_status() -> Status:
    """The latest status. While the gateway starts there is one only if that goes wrong; else it answers 503."""
    here = gateway()
    status = here.watch.status()
    return status if here.serving or status.troubles else serving_gateway().watch.status()


def _requires(roles: frozenset[str]) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """Admit only callers with one of these roles, also while the gateway starts."""

    def decorate(view: Callable[P, Response]) -> Callable[P, Response]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
            pause()  # under keep-alive load, views that never wait would starve all others
            guard = cast(Guard, current_app.extensions[GUARD])
            guard.admit(request.headers.get("Authorization"), roles)
            return view(*args, **kwargs)

        return guarded

    return decorate


@blueprint.post("/customers/supportInteraction")
@_requires(_BOFE)
def register() -> Response:
    """Register an interaction for a customer and follow it."""
    pair = loaded(_INTERACTION)
    registered = serving_gateway().registration.register(pair["customer_id"], pair["interaction_id"])
    return _json(replies.interaction(registered.view), 201 if registered.created else 200)


@blueprint.get("/customers/supportInteraction/<interaction_id>")
@_requires(_READERS)
def show(interaction_id: str) -> Response:
    """Show an interaction with its records and its timeline."""
    try:
        canonical = uuid(interaction_id)
    except ValidationError as error:
        raise problems.InvalidRequest({"interactionId": list(error.messages)}) from error
    view = serving_gateway().registration.view(canonical)
    if view is None:
        raise problems.NeverRegistered
    return _json(replies.interaction(view))


@blueprint.post("/customers/supportResult")
@_requires(_BACKOFFICE)
def take_result() -> Response:
    """Store an after-call work that the older trigger reports."""
    result = AcwEvent(**loaded(_RESULT))
    receipt = serving_gateway().support_results.take(result)
    return _json(replies.support_result(receipt), 202 if receipt.result is IntakeResult.STORED else 200)


@blueprint.get("/livez")
def livez() -> Response:
    """Answer that the process is alive; checks nothing else."""
    pause()
    return _json({"status": "alive"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """Answer whether registrations are accepted now and will be for the time being."""
    pause()
    if not serving_gateway().ready():
        raise Unavailable("the disk refuses, or the process is ending", _RETRY_SECONDS)
    return _json({"status": "ready"})


@blueprint.get("/metrics")
def metrics() -> Response:
    """The metrics, for Prometheus; also while nothing else is served, so that it can be seen why."""
    pause()
    gateway = cast(GatewayFacade, current_app.extensions[GATEWAY])
    page = gateway.metrics.scrape(request.headers.get("Accept"))
    return Response(page.body, content_type=page.content_type, headers={"Vary": "Accept"})


def loaded(schema: Schema) -> dict[str, Any]:
    """The JSON body of the request, as the schema converts it.

    Raises:
        InvalidRequest: It does not fit the schema.
        HTTPException: :func:`json_body.read` raised it.
    """
    try:
        return cast(dict[str, Any], schema.load(json_body.read(request, current_app.config[BODY_SECONDS])))
    except ValidationError as error:
        raise problems.InvalidRequest(error.messages_dict) from error


def _json(value: Mapping[str, object], status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, content_type="application/json")

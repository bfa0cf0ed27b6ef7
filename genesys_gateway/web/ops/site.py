"""Installs ``/ops`` and everything below, and what all of its answers have in common.

Invariant: each answer forbids browsers to load anything from elsewhere, to show it in a frame of another page, and to
store it. A browser gets a problem as a page, any other client as JSON.
"""

from http import HTTPStatus
from typing import cast

import orjson
from flask import Flask, Response, g, request

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.settings import Settings
from genesys_gateway.web import problems
from genesys_gateway.web.auth import Guard
from genesys_gateway.web.ops import access, api, forms, lists, login, pages, words
from genesys_gateway.web.ops.runbook import runbook
from genesys_gateway.web.ops.session import Sessions
from genesys_gateway.web.ops.templating import prepare, rendered

_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": with it browsers send "Origin: null" with our own forms, as if they came from another site.
    "Referrer-Policy": "same-origin",
}

#: Errors that may be gone at the next attempt.
_PASSING = frozenset({408, 429, 500, 503})


def install(app: Flask, settings: Settings, guard: Guard, clock: Clock) -> None:
    """Register what operators see with the app."""
    app.extensions[access.SESSIONS] = Sessions(guard, settings.genesys_client_secret, clock)
    app.extensions[login.FAILED_LOGINS] = login.FailedLogins(clock)
    app.url_map.converters["record"] = api.RecordId
    for blueprint in (login.blueprint, pages.blueprint, lists.blueprint, api.blueprint):
        app.register_blueprint(blueprint)
    app.after_request(_finished)
    # Together 0.1 s, in which the first page, and with it every other greenlet, would stand still.
    prepare()
    runbook()


def _finished(response: Response) -> Response:
    if request.path != access.COOKIE_PATH and not request.path.startswith(f"{access.COOKIE_PATH}/"):
        return response
    if response.content_type == problems.CONTENT_TYPE and _is_for_people():
        problem = orjson.loads(response.get_data())
        if problem["detail"] == access.WITHOUT_WORD:
            problem["detail"] = words.OLD_PAGE
        response.set_data(rendered("problem.html", problem=problem, operator=_reader(), **_ways(response.status_code)))
        response.content_type = "text/html; charset=utf-8"
    response.headers.update(_SECURITY_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _reader() -> access.Operator | None:
    """The operator who sees the page, also one whom no view has admitted: an address without a view has none."""
    if "operator" in g:
        return cast(access.Operator, g.operator)
    session = access.current_session()
    return None if session is None else access.Operator(name=session.holder.name, csrf=session.csrf)


def _ways(status: int) -> dict[str, str | None]:
    """Where an error page leads to, beside the overview: the same address, or the page whose button leads here."""
    again = status in _PASSING and request.method == "GET"
    button = status == HTTPStatus.METHOD_NOT_ALLOWED
    return {
        "again": request.full_path.removesuffix("?") if again else None,
        "button": request.path.rpartition("/")[0] if button else None,
    }


def _is_for_people() -> bool:
    return forms.wants_page() and not request.path.startswith("/ops/api/")

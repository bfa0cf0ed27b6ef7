"""Admits operators to pages and to JSON: by a bearer token of the role ops, or by the session of a browser.

Invariant: the checks are made in the order the interface promises: credential 401; role 403; for a POST its site, and
in a session the page's CSRF token, 403; rate 429. All of them are made before the body is used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, cast
from urllib.parse import quote

from flask import Response, current_app, g, make_response, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from genesys_gateway.runtime.errors import CallerError
from genesys_gateway.runtime.greenlets import pause
from genesys_gateway.web import problems, routes
from genesys_gateway.web.auth import Guard, NotAuthenticated
from genesys_gateway.web.ops import forms
from genesys_gateway.web.ops.session import COOKIE, ROLE, Session, Sessions

P = ParamSpec("P")
View = Callable[P, ResponseReturnValue]

#: Key of the :class:`Sessions` in ``app.extensions``.
SESSIONS = "genesys_gateway_sessions"
#: The header that may carry the page's CSRF token (called its word here), and the form field.
WORD_HEADER, WORD_FIELD = "X-CSRF-Token", "csrf"
#: The page on which a session is opened, and the cookie's path.
LOGIN, COOKIE_PATH = "/ops/login", "/ops"
#: The parameter of its address, and the field of its form, with the page that it leads to.
NEXT = "next"

FOREIGN = "A page of another site must not do this."
WITHOUT_WORD = "The CSRF token is missing or wrong; load the page again."

_OPS = frozenset({ROLE})
_CHANGES_NOTHING = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """The operator who sends the request, in ``flask.g.operator``."""

    #: the role and a fingerprint of the token, or the subject of the JWT
    name: str
    #: the CSRF token that forms of a page must carry; empty without a session
    csrf: str


def operator(view: View[P]) -> Callable[P, Response]:
    """Admit operators to JSON; anybody else gets 401 or 403."""
    return _admitting(view, redirects=False, keeps_open=True)


def page(view: View[P]) -> Callable[P, Response]:
    """Admit operators to a page; a browser without a session is sent to the login."""
    return _admitting(view, redirects=True, keeps_open=True)


def watcher(view: View[P]) -> Callable[P, Response]:
    """Admit operators to what their pages fetch by themselves: such a request keeps no idle session open."""
    return _admitting(view, redirects=False, keeps_open=False)


def _admitting(view: View[P], *, redirects: bool, keeps_open: bool) -> Callable[P, Response]:
    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
        pause()  # under keep-alive load, views that never wait would starve all others
        try:
            session = _admit()
        except NotAuthenticated:
            if redirects and forms.wants_page():
                return make_response(redirect(_login_that_leads_back(), 303))
            raise
        response = make_response(view(*args, **kwargs))
        renewed = sessions().renewed(session) if session is not None and keeps_open else None
        if renewed is not None:
            give_cookie(response, renewed)
        return response

    return guarded


def _admit() -> Session | None:
    """Return the session of this request, or None if it carries a bearer token."""
    guard = cast(Guard, current_app.extensions[routes.GUARD])
    session = current_session()
    holder = guard.identify(request.headers.get("Authorization"), _OPS) if session is None else session.holder
    if request.method not in _CHANGES_NOTHING:
        if forms.is_foreign():
            raise problems.Explained(403, FOREIGN)
        if session is not None and not session.knows(_word()):
            raise problems.Explained(403, WITHOUT_WORD)
    guard.count(holder.credential)
    g.operator = Operator(name=holder.name, csrf="" if session is None else session.csrf)
    return session


def _login_that_leads_back() -> str:
    """The address of the login that leads to the page asked for; from a POST to the page that shows what it is about.

    What the POST asked for is not repeated: the operator sees the page again, and decides anew.
    """
    if request.method in _CHANGES_NOTHING:
        query = request.query_string.decode("ascii", "replace")
        wanted = f"{request.path}?{query}" if query else request.path
    else:
        wanted = request.path.rpartition("/")[0]
    page = forms.own_page(wanted)
    return LOGIN if page is None else f"{LOGIN}?{NEXT}={quote(page, safe='/')}"


def _word() -> str:
    word = request.headers.get(WORD_HEADER)
    if word is not None or not forms.is_form():
        return word or ""
    try:
        return forms.fields().get(WORD_FIELD, "")
    except (HTTPException, CallerError):
        return ""  # a form that can't be read carries no word


def current_session() -> Session | None:
    """The open session of this request; None if there is none, or if a credential in the header stands for it."""
    if "Authorization" in request.headers:
        return None
    return sessions().read(request.cookies.get(COOKIE))


def sessions() -> Sessions:
    """The sessions of this application."""
    return cast(Sessions, current_app.extensions[SESSIONS])


def give_cookie(response: Response, value: str) -> None:
    """Have the browser keep the cookie of a session, until it ends itself."""
    response.set_cookie(COOKIE, value, path=COOKIE_PATH, httponly=True, samesite="Strict", secure=_came_over_tls())


def take_cookie(response: Response) -> None:
    """Have the browser forget the cookie."""
    response.delete_cookie(COOKIE, path=COOKIE_PATH, httponly=True, samesite="Strict", secure=_came_over_tls())


def _came_over_tls() -> bool:
    # The first one is what the proxy that the browser talks to says.
    said = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    return "https" in (said, request.environ.get("wsgi.url_scheme"))

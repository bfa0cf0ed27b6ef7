"""Login and logout of operators: a form takes a token of the role ops, or a JWT, and opens a session.

Invariant: a token is never logged or shown again, and a login leads to a page of ours only. After ten wrong tokens
within a minute from one address, further wrong ones from there are answered with 429. The right one is taken even then:
behind a proxy all may have one address.
"""

import math
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

from flask import Blueprint, Response, current_app, make_response, redirect, request

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.greenlets import pause
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SOME, SampledLog
from genesys_gateway.web import problems, routes
from genesys_gateway.web.auth import Guard, NotAllowed, NotAuthenticated
from genesys_gateway.web.ops import access, forms
from genesys_gateway.web.ops.session import COOKIE, ROLE
from genesys_gateway.web.ops.templating import rendered

log = get_logger(__name__)

blueprint = Blueprint("ops_login", __name__)

#: Key of the :class:`FailedLogins` in ``app.extensions``.
FAILED_LOGINS = "genesys_gateway_failed_logins"
#: The page after a login that names no other.
_FIRST_PAGE = "/ops/"
#: Maximum number of wrong tokens from one address within the window, and its length in seconds.
_MOST_FAILURES, _WINDOW = 10, 60.0
#: Maximum number of addresses that are remembered.
_MOST_ADDRESSES = 1000

_WRONG = "This token is not known."
_OTHER_ROLE = "This token is not one of operators: its role is another one."
_ENDED = "Your session has ended. Log in again."
_TOO_OFTEN = "There were too many wrong tokens from this address. Wait a minute."


class FailedLogins:
    """How often each address has sent a wrong token lately."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._logger = SampledLog(log, clock, most={"login_failed": SOME})
        self._failures: dict[str, deque[float]] = {}

    def wait(self, address: str) -> int:
        """Seconds for which wrong tokens of this address are answered with 429; 0 if they are not."""
        failures = self._failures.get(address)
        if failures is None or len(failures) < _MOST_FAILURES:
            return 0
        return max(0, math.ceil(failures[0] + _WINDOW - self._clock.monotonic()))

    def log(self, address: str, reason: str) -> None:
        """Log a wrong token; no more than some lines a minute, however many are tried."""
        self._logger.warning("login_failed", address=address, reason=reason)

    def note(self, address: str) -> None:
        """Count a wrong token."""
        failures = self._failures.pop(address, None) or deque(maxlen=_MOST_FAILURES)
        failures.append(self._clock.monotonic())
        self._failures[address] = failures  # the last one
        while len(self._failures) > _MOST_ADDRESSES:
            del self._failures[next(iter(self._failures))]


@blueprint.get(access.LOGIN)
def login_page() -> Response:
    """The form; an operator whose session is open is sent to the page that it leads to instead."""
    pause()
    page = forms.own_page(request.args.get(access.NEXT))
    if access.current_session() is not None:
        return make_response(redirect(page or _FIRST_PAGE, 303))
    return _form(200, page, ended=_ENDED if COOKIE in request.cookies else None)


@blueprint.post(access.LOGIN)
def log_in() -> Response:
    """Open a session by the token of the form."""
    pause()
    if forms.is_foreign():
        raise problems.Explained(403, access.FOREIGN)
    token, page = forms.fields().get("token", "").strip(), forms.own_page(forms.fields().get(access.NEXT))
    guard = cast(Guard, current_app.extensions[routes.GUARD])
    try:
        holder = guard.admit(f"Bearer {token}", frozenset({ROLE}))
    except (NotAuthenticated, NotAllowed) as error:
        return _refused(page, known=isinstance(error, NotAllowed))
    session = access.sessions().open(holder)
    _count("ok")
    log.info("logged_in", operator=holder.name, address=_address())
    response = make_response(redirect(page or _FIRST_PAGE, 303))
    access.give_cookie(response, access.sessions().cookie(session))
    return response


@blueprint.post("/ops/logout")
@access.page
def log_out() -> Response:
    """End the session."""
    response = make_response(redirect(access.LOGIN, 303))
    session = access.current_session()
    if session is not None:
        access.sessions().close(session)
        log.info("logged_out", operator=session.holder.name)
    access.take_cookie(response)
    return response


def _refused(page: str | None, *, known: bool) -> Response:
    """The form again after a wrong token, which is ``known`` if only its role is wrong."""
    failed, address = cast(FailedLogins, current_app.extensions[FAILED_LOGINS]), _address()
    _count("wrong_role" if known else "wrong_token")
    failed.log(address, "role" if known else "token")
    if wait := failed.wait(address):
        return _form(429, page, trouble=_TOO_OFTEN, headers={"Retry-After": str(wait)})
    failed.note(address)
    if known:
        return _form(403, page, trouble=_OTHER_ROLE)
    return _form(401, page, trouble=_WRONG, headers={"WWW-Authenticate": "Bearer"})


def _form(
    status: int,
    page: str | None,
    *,
    trouble: str | None = None,
    ended: str | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    shown = rendered("login.html", page_after=page, trouble=trouble, ended=ended, operator=None)
    response = make_response(shown, status)
    response.headers.update(headers)
    return response


def _count(outcome: str) -> None:
    routes.gateway().metrics.ops_logins.labels(outcome=outcome).inc()


def _address() -> str:
    """Where the request comes from; behind a proxy, what the proxy says of it: the last one of the list is its word."""
    said = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()[:64]
    return f"{said} by {request.remote_addr}" if said else str(request.remote_addr)

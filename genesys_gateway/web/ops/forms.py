"""Reads what a browser sends: the fields of a form, whether it wants a page, which one, and from which site it comes.

Invariant: a form is bounded like any other body, and is read once. No address leads out of our own pages.
"""

import re
from collections.abc import Mapping
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from flask import current_app, g, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from genesys_gateway.web import json_body, routes

_FORM = "application/x-www-form-urlencoded"
#: Maximum number of fields.
_MOST_FIELDS = 20
#: A page below /ops/ that a browser may load again, with its query: no host, no dots, nothing that has to be decoded.
_OWN_PAGE = re.compile(
    r"/ops/(?:conversations|records|dead-letters|runbook|(?:conversations|records)/[0-9A-Fa-f-]{1,36})"
    r"(?:\?[0-9A-Za-z_.~%=&+-]{0,600})?"
)


def fields() -> Mapping[str, str]:
    """The fields of the form in the body; of a field that stands twice the last value.

    Raises:
        RequestTimeout, RequestEntityTooLarge, BadRequest: As :func:`json_body.read`.
        UnsupportedMediaType: The body is no form.
    """
    if "form" not in g:
        body = json_body.content(request, current_app.config[routes.BODY_SECONDS])
        if not is_form():
            raise UnsupportedMediaType
        try:
            g.form = dict(
                parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
            )
        except ValueError as error:
            raise BadRequest from error
    return cast(Mapping[str, str], g.form)


def is_form() -> bool:
    """Whether the body is announced as a form."""
    return request.mimetype == _FORM


def wants_page() -> bool:
    """Whether the client is a browser that shows what is answered: it names HTML among what it accepts."""
    return any(name.lower() == "text/html" and quality > 0 for name, quality in request.accept_mimetypes)


def own_page(address: str | None) -> str | None:
    """The address if it is a page of ours, other than the overview, to which a login may lead; otherwise None.

    Anybody can make up a link to the login, so that an address of another site must never be followed.
    """
    return address if address is not None and _OWN_PAGE.fullmatch(address) else None


def is_foreign() -> bool:
    """Whether the page of another site has sent this request.

    A browser says so in ``Sec-Fetch-Site``; an older one, or one without TLS, names its page's site in ``Origin``. That
    is compared with the name under which the client has reached us, which a proxy in front may pass on.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return True
    origin = request.headers.get("Origin")
    if origin is None or site == "same-origin":
        return False
    own = {request.headers.get("Host"), request.headers.get("X-Forwarded-Host")}
    try:
        return urlsplit(origin).netloc not in own - {None, ""}
    except ValueError:
        return True

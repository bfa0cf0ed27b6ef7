"""The login host: grants access tokens, and authenticates API calls by them.

Invariant: every error in a request for a token is answered 400 with the same three keys, never with the API's error
body (F6).
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from genesys_gateway.simulator import saml
from genesys_gateway.simulator.clock import Clock
from genesys_gateway.simulator.errors import ApiError, LoginError
from genesys_gateway.simulator.options import Options
from genesys_gateway.simulator.topics import ACW_PERMISSION

SAML_GRANT = "urn:ietf:params:oauth:grant-type:saml2-bearer"
CREDENTIALS_GRANT = "client_credentials"

ALL_PERMISSIONS = frozenset(
    {ACW_PERMISSION, "conversation:communication:view", "routing:wrapupCode:view", "recording:recording:view"}
)


@dataclass(slots=True, kw_only=True)
class Client:
    """An OAuth client of the organisation."""

    id: str
    secret: str
    #: The only grant type it may use (F3); None: both, as for the built-in client.
    grant: str | None = None
    permissions: frozenset[str] = ALL_PERMISSIONS


@dataclass(slots=True, eq=False, kw_only=True)
class Token:
    """An access token and the number of its calls in the current minute."""

    value: str
    client: Client
    #: Id of the user named by the assertion; empty for client credentials.
    user: str
    #: Virtual seconds.
    expires: float
    #: Start of the minute whose calls are counted, in virtual seconds (F58).
    window_start: float = 0.0
    calls_in_window: int = 0

    @property
    def owner(self) -> tuple[str, str]:
        """User and application: the limit of channels is counted per owner (F12)."""
        return self.user, self.client.id


@dataclass(slots=True, kw_only=True)
class AuthorizationServer:
    """Grants tokens, and holds the clients and the valid tokens."""

    clock: Clock
    options: Options
    org_name: str = "simulator-org"
    #: Called when a token has ended, with True if it was revoked, False if it expired.
    on_token_end: Callable[[Token, bool], None] = lambda _token, _revoked: None
    clients: dict[str, Client] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    _used_assertions: set[str] = field(default_factory=set)

    def grant(self, authorization: str, form: Mapping[str, str]) -> Token:
        """Grant a new token. Raises LoginError for any error in the request (F6)."""
        client = self._client(authorization)
        grant = form.get("grant_type", "")
        if grant not in (SAML_GRANT, CREDENTIALS_GRANT):
            raise LoginError("unsupported_grant_type", f"grant_type {grant!r} is not supported")
        if client.grant not in (None, grant):
            raise LoginError("unauthorized_client", "the client is not configured for this grant type")  # F3
        user = self._asserted_user(form) if grant == SAML_GRANT else ""
        token = Token(
            value=secrets.token_urlsafe(48),
            client=client,
            user=user,
            expires=self.clock.virtual() + self.options.token_seconds,
        )
        self.tokens[token.value] = token
        self.clock.call_after(self.options.token_seconds, lambda: self._end(token, revoked=False))
        return token

    def seconds_left(self, token: Token) -> int:
        """`expires_in`, in wall seconds; Genesys answers 86399 for a day (F4)."""
        return max(0, round(self.clock.wall_seconds(token.expires - self.clock.virtual())))

    def authenticate(self, authorization: str) -> Token:
        """The valid token of an API call. Raises ApiError 401 if there is none."""
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() != "bearer" or not value:
            raise ApiError(
                401, "authentication.required", "No authentication bearer token specified in authorization header."
            )
        token = self.tokens.get(value.strip())
        if token is None or token.expires <= self.clock.virtual():
            raise ApiError(401, "bad.credentials", "Invalid login credentials.")
        return token

    def revoke(self, token: Token) -> None:
        """End a token before it expires."""
        self._end(token, revoked=True)

    def _end(self, token: Token, *, revoked: bool) -> None:
        if self.tokens.pop(token.value, None) is not None:
            self.on_token_end(token, revoked)

    def _client(self, authorization: str) -> Client:
        scheme, _, encoded = authorization.partition(" ")
        try:
            pair = base64.b64decode(encoded, validate=True).decode() if scheme.lower() == "basic" else ""
        except (binascii.Error, UnicodeDecodeError):
            pair = ""
        client_id, _, secret = pair.partition(":")
        client = self.clients.get(client_id)
        if client is None or not secrets.compare_digest(client.secret.encode(), secret.encode()):
            raise LoginError("invalid_client", "client authentication failed")
        return client

    def _asserted_user(self, form: Mapping[str, str]) -> str:
        """Check the assertion (F2, F5, F7) and return the id of its user."""
        if form.get("orgName") != self.org_name:
            raise LoginError("invalid_request", "orgName is missing or names no organisation")
        assertion = form.get("assertion", "")
        data = _decoded(assertion)
        if self.options.saml_certificate:
            identity = saml.verified_identity(data, self._configured_trust(), self.org_name, time.time())
            self._use_assertion(identity.id)
            return str(uuid.uuid5(uuid.NAMESPACE_DNS, identity.email))
        text = data.decode("utf-8", "replace")
        _check_conditions(text, time.time())
        self._use_assertion(assertion)
        match = re.search(r"<(?:\w+:)?NameID[^>]*>([^<]+)<", text)
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, match[1] if match else "somebody@example.com"))

    def _use_assertion(self, assertion: str) -> None:
        if self.options.refuse_replays and assertion in self._used_assertions:
            raise LoginError("invalid_grant", "the assertion was used before")  # F5
        self._used_assertions.add(assertion)

    def _configured_trust(self) -> saml.Trust:
        options = self.options
        return saml.Trust(
            certificate=options.saml_certificate, issuer=options.saml_issuer, audience=options.saml_audience
        )


def _decoded(assertion: str) -> bytes:
    # A '+' that was not sent as %2B arrives as a blank, which is not Base64 (F2).
    try:
        data = base64.b64decode(assertion, validate=True)
    except binascii.Error:
        data = b""
    if not data:
        raise LoginError("invalid_grant", "the assertion is not Base64; is '+' sent as %2B?")
    return data


def _check_conditions(text: str, now: float) -> None:
    """Reject what Genesys would reject in a readable SAML response (F7). Any other text is accepted."""
    if "EncryptedAssertion" in text:
        raise LoginError("invalid_grant", "the assertion is encrypted")
    if re.search(r"<(?:\w+:)?Response\b", text) and "SignatureValue" not in text:
        raise LoginError("invalid_grant", "the assertion is not signed")
    for moment in re.findall(r'NotOnOrAfter="([^"]+)"', text):
        if _epoch(moment) + saml.CLOCK_SKEW_SECONDS <= now:
            raise LoginError("invalid_grant", "the assertion is out of date")
    for moment in re.findall(r'NotBefore="([^"]+)"', text):
        if _epoch(moment) - saml.CLOCK_SKEW_SECONDS > now:
            raise LoginError("invalid_grant", "the assertion is not valid yet")


def _epoch(moment: str) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        raise LoginError("invalid_grant", "the assertion has an unreadable date") from None

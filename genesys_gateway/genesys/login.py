"""Requests an access token from the login host of Genesys Cloud, and turns a refusal into advice.

Invariant: text from the host is shown only after everything that could be a secret has been removed from it.
"""

import base64
import re
from typing import Protocol
from urllib.parse import quote_plus

from genesys_gateway.genesys.assertions.file import AssertionFile
from genesys_gateway.genesys.assertions.history import AssertionHistory, InMemorySentAssertions, SentAssertions
from genesys_gateway.genesys.assertions.source import Assertions
from genesys_gateway.genesys.assertions.url import AssertionUrl
from genesys_gateway.genesys.call import BadAnswer, counted_call, load, read_object, transient
from genesys_gateway.genesys.schemas.login import LOGIN_ERROR, TOKEN_ANSWER
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import PermanentFailure, TransientFailure
from genesys_gateway.runtime.http_client import HttpClient, Reply
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.settings import Settings

#: Longest life of a token in seconds. Genesys docs: two days; a larger figure in an answer is wrong.
MAX_LIFE_SECONDS = 172_800.0

_SAML = "urn:ietf:params:oauth:grant-type:saml2-bearer"
#: What to do, by the code of the host's error.
_ADVICE = {
    "invalid_client": "check GENESYS_CLIENT_ID and GENESYS_CLIENT_SECRET, and that GENESYS_ENVIRONMENT is their region",
    "invalid_grant": "the assertion must be fresh (clocks within 10 s), perhaps unused, not encrypted, signed by the "
    "organisation's identity provider, and name the e-mail of a Genesys user",
    "invalid_request": "check GENESYS_ORG_NAME (the organisation's short name) and the assertion",
    "unauthorized_client": "the OAuth client has another grant type: check GENESYS_GRANT_TYPE",
    "unsupported_grant_type": "the OAuth client has another grant type: check GENESYS_GRANT_TYPE",
    "invalid_scope": "check the scopes of the OAuth client",
    "access_denied": "check the roles of the OAuth client and of the user the assertion names",
}
#: Maximum length in characters of a text from the host that is shown.
_MAX_SHOWN = 200
#: A word that is longer than a UUID without dashes, and so probably a token or an assertion.
_LONG_WORD = re.compile(r"\S{33,}")


class TokenRefused(PermanentFailure):
    """Genesys issues no token until a person fixes what the message names.

    Args:
        brief: The refusal in a few words that are sure to name nobody; None for the message itself.
        of_assertion: Whether it is the assertion that Genesys refused.
    """

    def __init__(self, message: str, *, brief: str | None = None, of_assertion: bool = False) -> None:
        super().__init__(message)
        self.brief = message if brief is None else brief
        self.of_assertion = of_assertion


class AssertionRefused(TokenRefused):
    """Genesys refused the assertion of a source that says by itself when it has another: trying again costs nothing."""


class Grant(Protocol):
    """What a request for a token contains, apart from the client's id and secret."""

    def form(self) -> dict[str, str]:
        """The form fields of one request. Raises TransientFailure if there is nothing to send yet."""

    def granted(self) -> None:
        """Genesys gave a token for the last form."""

    def refused(self) -> bool:
        """Genesys refused what the last form contained. Returns whether another can be made at once, without a call."""

    def trouble(self) -> str | None:
        """Why the next form can't be made, as far as that can be seen without making it; None if nothing is wrong."""


class ClientCredentials:
    """The grant ``client_credentials``: the client's id and secret are enough."""

    def form(self) -> dict[str, str]:
        """The grant type alone."""
        return {"grant_type": "client_credentials"}

    def granted(self) -> None:
        """Do nothing: the form is always the same."""

    def refused(self) -> bool:
        """Return that the same form would be refused again."""
        return False

    def trouble(self) -> str | None:
        """Always None."""
        return None


class Saml2Bearer:
    """The grant ``saml2-bearer``: an assertion of the organisation's identity provider names a Genesys user."""

    def __init__(self, org_name: str, assertions: Assertions) -> None:
        self._org_name = org_name
        self._assertions = assertions

    def form(self) -> dict[str, str]:
        """The form with an assertion. Raises what :meth:`Assertions.take` raises."""
        return {"grant_type": _SAML, "orgName": self._org_name, "assertion": self._assertions.take()}

    def granted(self) -> None:
        """Note that the assertion gave a token."""
        self._assertions.granted()

    def refused(self) -> bool:
        """Note that the assertion is not to be sent again."""
        return self._assertions.refused()

    def trouble(self) -> str | None:
        """What is wrong with the source of assertions."""
        return self._assertions.trouble()


class Login:
    """Requests tokens from the login host.

    Args:
        http: A client of the login host.
        sent: The assertions sent before; None to remember them for the life of this process only.

    Raises:
        TokenRefused: A setting that the grant type needs is missing.
    """

    def __init__(
        self, settings: Settings, http: HttpClient, clock: Clock, metrics: Metrics, sent: SentAssertions | None = None
    ) -> None:
        self._settings = settings
        self._http = http
        self._metrics = metrics
        self._grant = _grant(settings, clock, sent)

    def trouble(self) -> str | None:
        """Why :meth:`request_token` would have nothing to send, as far as that can be seen without a call."""
        return self._grant.trouble()

    def request_token(self) -> tuple[str, float]:
        """Request a token once, without a retry.

        Returns:
            The token and its life in seconds, counted from before the call.

        Raises:
            TransientFailure: There was no answer or no readable one, the host can't answer now (429, 5xx), or there
                is no assertion to send.
            TokenRefused: The host refused.
        """
        form = self._grant.form()
        headers = {"Authorization": self._basic()}
        reply = counted_call(self._http, self._metrics, "token", "POST", "/oauth/token", headers=headers, data=form)
        if 200 <= reply.status < 300:
            token = _token(reply)
            self._grant.granted()
            return token
        if transient(reply.status):
            raise TransientFailure(f"the login host answered {reply.status}", reply.retry_after)
        raise self._refusal(reply, form)

    def _basic(self) -> str:
        # These calls are rare, so the secret is read again for each: a secret replaced in its file works at once, and
        # no assertion is wasted on the old one.
        self._settings.genesys_client_secret.refresh()
        pair = f"{self._settings.genesys_client_id}:{self._settings.genesys_client_secret.reveal()}"
        return "Basic " + base64.b64encode(pair.encode()).decode("ascii")

    def _refusal(self, reply: Reply, form: dict[str, str]) -> TokenRefused:
        try:
            answer = load(LOGIN_ERROR, read_object(reply.body))
        except BadAnswer:
            brief = f"the login host answered {reply.status}"
            return TokenRefused(f"{brief} without saying why: check GENESYS_LOGIN_URL", brief=brief)
        secrets = (self._settings.genesys_client_secret.reveal(), form.get("assertion", ""))
        code = _shown(answer["error"], secrets)
        description = _shown(str(answer["description"] or answer["error_description"] or ""), secrets)
        text = f"the login host refused the token: {code}" + (f" ({description})" if description else "")
        advice = _ADVICE.get(answer["error"])
        # Any other refusal speaks of the client, the organisation or the request: the assertion may still be good.
        of_grant = reply.status == 400 and answer["error"] == "invalid_grant"
        another = of_grant and self._grant.refused()
        return (AssertionRefused if another else TokenRefused)(
            f"{text}; {advice}" if advice else text,
            # The description may name the user, and a code that is not known may be anything.
            brief=f"the login host answered {reply.status}" + (f" {answer['error']}" if advice else ""),
            of_assertion=of_grant and self._settings.genesys_grant_type != "client-credentials",
        )


def _grant(settings: Settings, clock: Clock, sent: SentAssertions | None) -> Grant:
    if settings.genesys_grant_type == "client-credentials":
        return ClientCredentials()
    assertions = assertion_source(settings, clock, sent)
    if settings.genesys_org_name is None or assertions is None:
        raise TokenRefused("the grant saml2-bearer needs GENESYS_ORG_NAME and a source of assertions")
    return Saml2Bearer(settings.genesys_org_name, assertions)


def assertion_source(settings: Settings, clock: Clock, sent: SentAssertions | None = None) -> Assertions | None:
    """The source of assertions that the settings name; None if they name none.

    Args:
        sent: The assertions sent before; None to remember them for the life of this process only.
    """
    history = AssertionHistory(sent or InMemorySentAssertions(), clock)
    if settings.genesys_saml_assertion_file is not None:
        return AssertionFile(settings.genesys_saml_assertion_file, history)
    if settings.genesys_saml_assertion_url is not None:
        url, token = settings.genesys_saml_assertion_url, settings.genesys_saml_assertion_url_token
        return AssertionUrl(settings, url, token, clock, history)
    if settings.genesys_saml_key_file is not None:
        # The libraries for XML and its signatures take 28 MB, so they are imported only where they are used.
        from genesys_gateway.genesys.assertions.signed import SignedAssertions

        return SignedAssertions(settings, clock)
    return None


def _token(reply: Reply) -> tuple[str, float]:
    answer = load(TOKEN_ANSWER, read_object(reply.body))
    return answer["access_token"], min(float(answer["expires_in"]), MAX_LIFE_SECONDS)


def _shown(text: str, secrets: tuple[str, ...]) -> str:
    """A text from the host made fit to be shown: short, on one line, without our secrets in any encoding we sent."""
    for secret in filter(None, secrets):
        for spelling in (secret, quote_plus(secret)):
            text = text.replace(spelling, "…")
    text = _LONG_WORD.sub("…", "".join(c if c.isprintable() else " " for c in text))
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"

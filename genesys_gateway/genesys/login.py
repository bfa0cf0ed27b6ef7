"""The login host of Genesys Cloud: sends one grant, and reads the token or what to mend.

Law: what the host says is shown only after everything that could be a secret was taken out of it.
"""

import base64
import re
from typing import Protocol
from urllib.parse import quote_plus

from genesys_gateway.genesys.assertions.file import AssertionFile
from genesys_gateway.genesys.assertions.source import Assertions, InMemoryUsedAssertions, UsedAssertions
from genesys_gateway.genesys.assertions.url import AssertionUrl
from genesys_gateway.genesys.call import BadAnswer, ask, load, read_object, transient
from genesys_gateway.genesys.schemas.login import LOGIN_ERROR, TOKEN_ANSWER
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import NotSent, PermanentFailure, TransientFailure
from genesys_gateway.runtime.http_client import HttpClient, Reply
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.settings import Settings

#: Genesys docs: no token lives longer (two days); a larger figure is a mistake of its sender.
MAX_LIFE_SECONDS = 172_800.0

_SAML = "urn:ietf:params:oauth:grant-type:saml2-bearer"
_ADVICE = {
    "invalid_client": "check GENESYS_CLIENT_ID and GENESYS_CLIENT_SECRET, and that GENESYS_ENVIRONMENT is their region",
    "invalid_grant": "the assertion must be fresh (clocks within 10 s), unused, not encrypted, signed by the "
    "organisation's identity provider, and name the e-mail of a Genesys user",
    "invalid_request": "check GENESYS_ORG_NAME (the organisation's short name) and the assertion",
    "unauthorized_client": "the OAuth client has another grant type: check GENESYS_GRANT_TYPE",
    "unsupported_grant_type": "the OAuth client has another grant type: check GENESYS_GRANT_TYPE",
    "invalid_scope": "check the scopes of the OAuth client",
    "access_denied": "check the roles of the OAuth client and of the user the assertion names",
}
_MAX_SHOWN = 200
_LONG_WORD = re.compile(r"\S{33,}")  # longer than a UUID without dashes: a token or an assertion rather than a word


class TokenRefused(PermanentFailure):
    """Genesys gives no token before someone mends what the text says."""


class Grant(Protocol):
    """What a token is asked for with."""

    def form(self) -> dict[str, str]:
        """The fields to send, to be used once. Raises Delayed when there is nothing to send yet."""

    def unsent(self) -> None:
        """The last form has certainly not reached Genesys."""

    def trouble(self) -> str | None:
        """Why the next form can't be made, as far as it shows without making it."""


class ClientCredentials:
    """The client's own id and secret are all it takes."""

    def form(self) -> dict[str, str]:
        """The grant type alone."""
        return {"grant_type": "client_credentials"}

    def unsent(self) -> None:
        """Nothing was used up."""

    def trouble(self) -> str | None:
        """Never any."""
        return None


class Saml2Bearer:
    """A user whom the organisation's identity provider vouches for."""

    def __init__(self, org_name: str, assertions: Assertions) -> None:
        self._org_name = org_name
        self._assertions = assertions

    def form(self) -> dict[str, str]:
        """With the assertion of this moment; raises what :meth:`Assertions.take` does."""
        return {"grant_type": _SAML, "orgName": self._org_name, "assertion": self._assertions.take()}

    def unsent(self) -> None:
        """The assertion is still fresh."""
        self._assertions.give_back()

    def trouble(self) -> str | None:
        """That of the assertions."""
        return self._assertions.trouble()


class Login:
    """The way to the login host.

    Raises:
        TokenRefused: A setting that the grant type needs is missing.
    """

    def __init__(
        self, settings: Settings, http: HttpClient, clock: Clock, metrics: Metrics, used: UsedAssertions | None = None
    ) -> None:
        self._settings = settings
        self._http = http
        self._metrics = metrics
        self._grant = _grant(settings, clock, used)

    def trouble(self) -> str | None:
        """Why :meth:`ask` would have nothing to ask with, as far as it shows without asking anybody."""
        return self._grant.trouble()

    def ask(self) -> tuple[str, float]:
        """Ask for a token, once.

        Returns:
            The token and the seconds it lives, counted from before the call.

        Raises:
            TransientFailure: No answer, none that can be read, or the host asks to come later.
            TokenRefused: The host said no.
        """
        form = self._grant.form()
        try:
            headers = {"Authorization": self._basic()}
            reply = ask(self._http, self._metrics, "token", "POST", "/oauth/token", headers=headers, data=form)
        except NotSent:
            self._grant.unsent()
            raise
        if 200 <= reply.status < 300:
            return _token(reply)
        if transient(reply.status):
            raise TransientFailure(f"the login host answered {reply.status}", reply.retry_after)
        raise TokenRefused(self._refusal(reply, form))

    def _basic(self) -> str:
        # Read anew for each of these rare calls, a secret replaced in its file works at once and spares an assertion.
        self._settings.genesys_client_secret.refresh()
        pair = f"{self._settings.genesys_client_id}:{self._settings.genesys_client_secret.reveal()}"
        return "Basic " + base64.b64encode(pair.encode()).decode("ascii")

    def _refusal(self, reply: Reply, form: dict[str, str]) -> str:
        try:
            answer = load(LOGIN_ERROR, read_object(reply.body))
        except BadAnswer:
            return f"the login host answered {reply.status} without saying why: check GENESYS_LOGIN_URL"
        secrets = (self._settings.genesys_client_secret.reveal(), form.get("assertion", ""))
        code = _shown(answer["error"], secrets)
        said = _shown(answer["description"] or answer["error_description"] or "", secrets)
        text = f"the login host refused the token: {code}" + (f" ({said})" if said else "")
        advice = _ADVICE.get(answer["error"])
        return f"{text}; {advice}" if advice else text


def _grant(settings: Settings, clock: Clock, used: UsedAssertions | None) -> Grant:
    if settings.genesys_grant_type == "client-credentials":
        return ClientCredentials()
    assertions = assertions_of(settings, clock, used)
    if settings.genesys_org_name is None or assertions is None:
        raise TokenRefused("the grant saml2-bearer needs GENESYS_ORG_NAME and a source of assertions")
    return Saml2Bearer(settings.genesys_org_name, assertions)


def assertions_of(settings: Settings, clock: Clock, used: UsedAssertions | None = None) -> Assertions | None:
    """The one source that the settings name, if they name any; without ``used`` it remembers for itself."""
    used = used or InMemoryUsedAssertions()
    if settings.genesys_saml_assertion_file is not None:
        return AssertionFile(settings.genesys_saml_assertion_file, used)
    if settings.genesys_saml_assertion_url is not None:
        url, token = settings.genesys_saml_assertion_url, settings.genesys_saml_assertion_url_token
        return AssertionUrl(settings, url, token, clock, used)
    if settings.genesys_saml_key_file is not None:
        # XML and its signatures cost 28 MB: only for those who use them.
        from genesys_gateway.genesys.assertions.signed import SignedAssertions

        return SignedAssertions(settings, clock)
    return None


def _token(reply: Reply) -> tuple[str, float]:
    answer = load(TOKEN_ANSWER, read_object(reply.body))
    return answer["access_token"], min(float(answer["expires_in"]), MAX_LIFE_SECONDS)


def _shown(text: str, secrets: tuple[str, ...]) -> str:
    """What may be shown of a text from outside: short, on one line, without our secrets in any spelling we sent."""
    for secret in filter(None, secrets):
        for spelling in (secret, quote_plus(secret)):
            text = text.replace(spelling, "…")
    text = _LONG_WORD.sub("…", "".join(c if c.isprintable() else " " for c in text))
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"

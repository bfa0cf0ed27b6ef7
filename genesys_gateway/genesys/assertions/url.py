"""Assertions from the URL of an identity provider inside the organisation."""

from urllib.parse import urlsplit

from genesys_gateway.genesys.assertions.source import MAX_BYTES, AssertionMissing, SingleUse, UsedAssertions, is_base64
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import TransientFailure
from genesys_gateway.runtime.http_client import HttpClient, Reply
from genesys_gateway.settings import Settings
from genesys_gateway.settings.secret import Secret

_NAME = "GENESYS_SAML_ASSERTION_URL"


class AssertionUrl:
    """Assertions from one URL, fetched with GET; the whole body of the answer is the assertion.

    Args:
        settings: For proxy, trusted authorities and time limit.
        url: The URL; it may have a query.
        token: Sent as a bearer token; None if the URL needs none.
        used: The assertions used before.
    """

    def __init__(self, settings: Settings, url: str, token: Secret | None, clock: Clock, used: UsedAssertions) -> None:
        parts = urlsplit(url)
        self._http = HttpClient(settings, f"{parts.scheme}://{parts.netloc}", clock, 1)
        self._target = parts._replace(scheme="", netloc="").geturl() or "/"
        self._token = token
        self._single_use = SingleUse(used)

    def take(self) -> str:
        """Fetch an assertion once, within GATEWAY_HTTP_TIMEOUT_SECONDS. Raises TransientFailure on every error."""
        try:
            reply = self._http.call("GET", self._target, headers=self._headers())
        except TransientFailure as error:
            raise TransientFailure(f"no assertion from {_NAME}: {error}", error.retry_after) from error
        if reply.status != 200:
            self._refuse(reply)
        if len(reply.body) > MAX_BYTES or not is_base64(reply.body):
            raise TransientFailure(f"{_NAME} answers with something else than a SAMLResponse in Base64")
        try:
            line = self._single_use.take(reply.body)
        except AssertionMissing as error:
            raise TransientFailure(str(error)) from error  # trying again costs a call here, so only after a pause
        if line is None:
            raise TransientFailure(
                f"{_NAME} gives an assertion that was used already; it must make a new one each time"
            )
        return line

    def give_back(self) -> None:
        """Accept the same assertion once more."""
        self._single_use.give_back()

    def trouble(self) -> str | None:
        """Always None: only a call would show what is wrong."""
        return None

    def _headers(self) -> dict[str, str]:
        return {"Accept": "text/plain, */*"} | (
            {} if self._token is None else {"Authorization": f"Bearer {self._token.reveal()}"}
        )

    def _refuse(self, reply: Reply) -> None:
        if reply.status in (401, 403) and self._token is not None:
            self._token.refresh()
        advice = f"; check {_NAME}_TOKEN" if reply.status in (401, 403) else ""
        raise TransientFailure(f"{_NAME} answers {reply.status}{advice}", reply.retry_after)

"""Assertions from the URL of an identity provider inside the organisation."""

from urllib.parse import urlsplit

from genesys_gateway.genesys.assertions.history import AssertionHistory
from genesys_gateway.genesys.assertions.source import MAX_BYTES, NoAssertion, assertion_in
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import TransientFailure
from genesys_gateway.runtime.http_client import HttpClient, Reply
from genesys_gateway.settings import Settings
from genesys_gateway.settings.secret import Secret
from genesys_gateway.settings.text_file import plain_text

_NAME = "GENESYS_SAML_ASSERTION_URL"


class AssertionUrl:
    """Assertions from one URL, fetched with GET; the whole body of the answer is the assertion.

    Args:
        settings: For proxy, trusted authorities and time limit.
        url: The URL; it may have a query.
        token: Sent as a bearer token; None if the URL needs none.
        history: What became of the assertions sent before.
    """

    def __init__(
        self, settings: Settings, url: str, token: Secret | None, clock: Clock, history: AssertionHistory
    ) -> None:
        parts = urlsplit(url)
        self._http = HttpClient(settings, f"{parts.scheme}://{parts.netloc}", clock, 1)
        self._target = parts._replace(scheme="", netloc="").geturl() or "/"
        self._token = token
        self._history = history

    def take(self) -> str:
        """Fetch an assertion once, within GATEWAY_HTTP_TIMEOUT_SECONDS; without one, the last that may be sent again.

        Raises:
            NoAssertion: There is neither.
        """
        return self._history.next_to_send(self._usable)

    def granted(self) -> None:
        """Note that the last assertion gave a token."""
        self._history.answered("granted")

    def refused(self) -> bool:
        """Note that the last assertion is never to be sent again. The next one costs a call, so only after a pause."""
        self._history.answered("refused")
        return False

    def trouble(self) -> str | None:
        """Always None: only a call would show what is wrong."""
        return None

    def _usable(self) -> str:
        assertion = self._fetch()
        if not self._history.may_be_sent(assertion):
            raise NoAssertion(
                f"{_NAME} gives an assertion that was refused or is out of date; it must make a new one each time"
            )
        return assertion

    def _fetch(self) -> str:
        try:
            reply = self._http.call("GET", self._target, headers=self._headers())
        except TransientFailure as error:
            raise NoAssertion(f"no assertion from {_NAME}: {error}", error.retry_after) from error
        if reply.status != 200:
            self._refuse(reply)
        assertion = None if len(reply.body) > MAX_BYTES else assertion_in(_text(reply))
        if assertion is None:
            raise NoAssertion(f"{_NAME} answers with something else than a SAMLResponse in Base64")
        return assertion

    def _headers(self) -> dict[str, str]:
        return {"Accept": "text/plain, */*"} | (
            {} if self._token is None else {"Authorization": f"Bearer {self._token.reveal()}"}
        )

    def _refuse(self, reply: Reply) -> None:
        if reply.status in (401, 403) and self._token is not None:
            self._token.refresh()
        advice = f"; check {_NAME}_TOKEN" if reply.status in (401, 403) else ""
        raise NoAssertion(f"{_NAME} answers {reply.status}{advice}", reply.retry_after)


def _text(reply: Reply) -> str:
    try:
        return plain_text(reply.body)
    except ValueError as error:
        raise NoAssertion(f"the answer of {_NAME} {error}") from error

"""Checks that Genesys Cloud gives a token, offers the topic of after-call work, and allows the gateway's calls.

Invariant: it only reads, and asks about conversations and users that do not exist, so it sees no personal data.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

from genesys_gateway.commands.check.findings import Finding, State, good, skipped, wrong
from genesys_gateway.genesys import Tokens
from genesys_gateway.genesys.call import BadAnswer, load, read_object
from genesys_gateway.genesys.login import TokenRefused
from genesys_gateway.genesys.schemas.channels import CHANNELS, ERROR_BODY
from genesys_gateway.genesys.schemas.login import TOKEN_INFO, TOPIC_KINDS
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import TransientFailure
from genesys_gateway.runtime.http_client import HttpClient, Reply
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.settings import Settings

_TOPIC = "v2.detail.events.conversation.{id}.acw"
_TRANSPORTS = frozenset({"Websocket", "All"})
#: Genesys docs: maximum number of channels of one user and application.
_CHANNELS = 20
_ROLE = "give it, by a role, to the OAuth client (client credentials) or to the user the assertion names (SAML2)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """A right (permission or scope) that the gateway needs, and a call that shows whether it has it."""

    area: str
    path: str
    #: name of the permission at Genesys; None when a scope is enough
    permission: str | None
    purpose: str


def _rights() -> Sequence[Right]:
    unknown_id = uuid4()
    return (
        Right(
            area="conversations",
            path=f"/api/v2/conversations/{unknown_id}",
            permission="conversation:communication:view",
            purpose="whether a conversation is over",
        ),
        Right(
            area="analytics",
            path=f"/api/v2/analytics/conversations/details?id={unknown_id}",
            permission="analytics:conversationDetail:view",
            purpose="the events, and those missed in a gap",
        ),
        Right(
            area="wrap-up codes",
            path=f"/api/v2/routing/wrapupcodes/{unknown_id}",
            permission="routing:wrapupCode:view",
            purpose="their names",
        ),
        Right(area="users", path=f"/api/v2/users/{unknown_id}", permission=None, purpose="the names of agents"),
    )


class _Api:
    """The Genesys API, called with one token."""

    def __init__(self, http: HttpClient, token: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> Reply:
        """Raises TransientFailure when there is no answer."""
        return self._http.call("GET", path, headers=self._headers)


def inspect(settings: Settings, clock: Clock, *, api: bool, held: str) -> Iterator[Finding]:
    """Yield findings about token, permissions, topic and channels.

    Args:
        api: Whether the API's host can be reached.
        held: Which channels our instances may have, as the end of a sentence.
    """
    login = HttpClient(settings, settings.genesys_login_url, clock, 1)
    try:
        token = Tokens(settings, login, clock, Metrics()).current()
    except (TransientFailure, TokenRefused) as error:
        yield wrong("token", *_split_advice(str(error)))
        return
    sent = "; the assertion in the file was sent for it" if settings.genesys_saml_assertion_file else ""
    yield good("token", f"granted for {round((token.expires_at - token.issued_at) / 1000)} s{sent}")
    if not api:
        yield skipped("rights", "the API can't be reached")
        return
    genesys = _Api(HttpClient(settings, settings.genesys_api_url, clock, 1), token.value)
    me = _finding_of("tokens/me", lambda: _token_info(genesys.get("/api/v2/tokens/me"), settings))
    yield me
    if me.state is State.WRONG:
        return
    missing: set[str] = set()
    for right in _rights():
        yield _finding_of(right.area, partial(_check_right, genesys, right, missing))
    topics = "/api/v2/notifications/availabletopics?expand=requiresPermissions%2Ctransports"
    yield _finding_of("topic", lambda: _topic(genesys.get(topics), missing))
    channels = "/api/v2/notifications/channels?includechannels=oauthclient"
    yield _finding_of("channels", lambda: _channels(genesys.get(channels), settings, held))


def _split_advice(text: str) -> tuple[str, str]:
    """Text and advice of an error of the login, which puts its advice after a semicolon."""
    problem, _, advice = text.partition("; ")
    return problem, advice or "see docs/connect-genesys.md"


def _finding_of(area: str, check: Callable[[], Finding]) -> Finding:
    """The finding of a check; a cross if it raised an exception."""
    try:
        return check()
    except BadAnswer as error:
        return wrong(area, str(error), "check GENESYS_API_URL: the server there is not Genesys's API")
    except TransientFailure as error:
        return wrong(area, f"no answer: {error}", "try again; if it persists, check the network and GENESYS_API_URL")


def _token_info(reply: Reply, settings: Settings) -> Finding:
    if reply.status == 401:
        return wrong(
            "tokens/me",
            "the API does not know the token that the login host gave",
            "GENESYS_LOGIN_URL and GENESYS_API_URL must be of the same region; best set GENESYS_ENVIRONMENT alone",
        )
    if reply.status != 200:
        return _unexpected("tokens/me", reply)
    info = load(TOKEN_INFO, read_object(reply.body))
    client, organization = info["OAuthClient"] or {}, info["organization"] or {}
    if client.get("id") not in (None, settings.genesys_client_id):
        return wrong("tokens/me", "the token is of another OAuth client", "check GENESYS_CLIENT_ID")
    scopes = info["authorizedScope"] or []
    if scopes and not any(scope.partition(":")[0] == "notifications" for scope in scopes):
        return wrong("tokens/me", "the OAuth client has no scope notifications", "add it to the OAuth client")
    return good("tokens/me", f"organisation {organization.get('name') or 'not named'}, client {client.get('name')!r}")


def _check_right(genesys: _Api, right: Right, missing: set[str]) -> Finding:
    reply = genesys.get(right.path)
    needed = right.permission or "the scope users:readonly"
    if reply.status in (200, 404):
        return good(right.area, f"permitted ({right.purpose})")
    if reply.status == 403:
        missing.add(needed)
        return wrong(right.area, f"refused ({_code(reply)}): {needed} is missing ({right.purpose})", _ROLE)
    return _unexpected(right.area, reply)


def _topic(reply: Reply, missing: set[str]) -> Finding:
    if reply.status != 200:
        return _unexpected("topic", reply)
    kinds = load(TOPIC_KINDS, read_object(reply.body))["entities"]
    found = next((kind for kind in kinds if kind["id"] == _TOPIC), None)
    if found is None:
        return wrong("topic", f"Genesys offers no topic {_TOPIC}", "ask Genesys support why this organisation lacks it")
    if found["transports"] and not _TRANSPORTS & set(found["transports"]):
        return wrong("topic", f"{_TOPIC} does not travel over WebSockets", "ask Genesys support why")
    needs = found["requiresPermissions"] or []
    if lacking := sorted(missing & set(needs)):
        return wrong("topic", f"{_TOPIC} needs {', '.join(lacking)}", _ROLE)
    return good("topic", f"{_TOPIC} exists, over WebSocket; needs {', '.join(needs) or 'no permission'}")


def _channels(reply: Reply, settings: Settings, held: str) -> Finding:
    if reply.status == 403:
        return wrong("channels", f"refused ({_code(reply)})", "the OAuth client needs the scope notifications")
    if reply.status != 200:
        return _unexpected("channels", reply)
    count = len(load(CHANNELS, read_object(reply.body))["entities"])
    text = f"{count} of {_CHANNELS} there now, open or left behind; ours may be {settings.channel_budget}{held}"
    return good("channels", text)


def _unexpected(area: str, reply: Reply) -> Finding:
    advice = "try again later" if reply.status == 429 or reply.status >= 500 else "check GENESYS_API_URL"
    return wrong(area, f"Genesys answered {reply.status} {_code(reply)}".rstrip(), advice)


def _code(reply: Reply) -> str:
    try:
        body: Mapping[str, str] = load(ERROR_BODY, read_object(reply.body))
    except BadAnswer:
        return str(reply.status)
    return body["code"]

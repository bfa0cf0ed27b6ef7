"""Every call that the gateway makes to the Genesys Cloud API, each as one method that returns plain values.

Invariant: no call exceeds the rate limit, none is repeated except after a 401 (then Genesys did nothing), and every
answer is checked before it is used.

Every call about a channel must carry the token that created it; with any other, Genesys answers 404.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from genesys_gateway.genesys import analytics, live_view, names
from genesys_gateway.genesys.call import BadAnswer, counted_call, load, moment, read_object, transient
from genesys_gateway.genesys.live_view import Conversation
from genesys_gateway.genesys.rate_limiter import Priority, RateLimiter
from genesys_gateway.genesys.schemas.channels import CHANNEL, CHANNEL_ID, CHANNELS, ERROR_BODY, TOPICS
from genesys_gateway.genesys.tokens import Token, TokenRefused, Tokens
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import PermanentFailure, TransientFailure
from genesys_gateway.runtime.http_client import HttpClient, Reply
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.settings import Settings

#: Life of a channel in seconds. Genesys docs: a day.
LIFE_SECONDS = 86_400.0
#: Maximum number of ids in one bulk query. Genesys docs give no limit; 50 ids keep the URL short.
MAX_DETAILS = 50
#: The same for names in bulk.
MAX_NAMES = 50

_CHANNELS = "/api/v2/notifications/channels"

_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z")
#: A UUID, or a system code such as ININ-WRAP-UP-TIMEOUT.
_WRAPUP_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")

#: Genesys's error code for a topic list that would be too long.
_TOO_MANY = "notification.subscription.too.many.subscriptions"
#: Maximum length in characters of the reason kept for a rejected topic.
_MAX_REASON = 200

#: The priority of what nobody waits for.
_LEAST_URGENT = Priority.LIVE_QUESTIONS

log = get_logger(__name__)


class NotFound(PermanentFailure):
    """Genesys has nothing with this id (404)."""


class Forbidden(PermanentFailure):
    """A permission or scope is missing (403)."""


class TooManyTopics(PermanentFailure):
    """The channel would hold more topics than Genesys allows; no topic was added."""


class TokenDead(TransientFailure):
    """Genesys no longer accepts the token (401); a channel created with it is gone too."""


class Throttled(TransientFailure):
    """Too many calls (429): no call with this token is made for ``retry_after`` seconds."""


class NoToken(TransientFailure):
    """The login host issues no token until a person fixes what the message names; then the same call succeeds."""


class NotPermitted(TransientFailure):
    """The caller lost the right to make the call while it waited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelGrant:
    """A channel that was just created."""

    #: not a UUID
    id: str
    #: the address of its WebSocket; not checked yet
    connect_uri: str
    #: epoch milliseconds
    expires_at: int
    #: the token that created it; every call about this channel must carry it
    token: Token


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicResult:
    """Whether Genesys permitted one topic."""

    topic: str
    permitted: bool
    #: why Genesys rejected it, if the answer gives a reason
    reason: str | None = None


class Genesys:
    """The API of Genesys Cloud, called with the current token and within the rate limit.

    Every method waits for the rate limiter, and then at most GATEWAY_HTTP_TIMEOUT_SECONDS for its answer. A 401
    doubles that, because the call is repeated once with a new token. Calls that take a token are not repeated.

    Besides the errors it names, each method raises :class:`TransientFailure` and, for every other 4xx,
    :class:`PermanentFailure` with the status and Genesys's code. After NoReply and BadAnswer the call may have had its
    effect; NoToken lasts until a person fixes something.
    """

    def __init__(
        self,
        settings: Settings,
        http: HttpClient,
        tokens: Tokens,
        limiter: RateLimiter,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._http = http
        self._tokens = tokens
        self._limiter = limiter
        self._clock = clock
        self._logger = SampledLog(log, self._clock)
        self._metrics = metrics

    def create_channel(self, permitted: Callable[[], bool] = lambda: True) -> ChannelGrant:
        """Create a channel. Each repetition creates another one; for the 21st, Genesys removes one of ours.

        Args:
            permitted: Asked right before the call, after the wait for the rate limiter; if False, no call is made.

        Raises:
            NotPermitted: No call was made.
        """
        token, reply = self._call_renewing("create_channel", Priority.CHANNELS, "POST", _CHANNELS, permitted=permitted)
        answer = load(CHANNEL, read_object(reply.body))
        expires_at = moment(answer["expires"])
        if expires_at is None:
            raise BadAnswer("the answer has no usable expires")
        if not 0 < expires_at - self._clock.now() <= 2000 * LIFE_SECONDS:
            self._logger.warning(
                "channel_life_implausible", channel=answer["id"], advice="is this machine's clock right?"
            )
        return ChannelGrant(id=answer["id"], connect_uri=answer["connectUri"], expires_at=expires_at, token=token)

    def count_channels(self) -> int:
        """Number of channels of our user and OAuth client, including those created with other tokens."""
        params = [("includechannels", "oauthclient")]
        _, reply = self._call_renewing("count_channels", Priority.CHANNELS, "GET", _CHANNELS, params=params)
        return len(load(CHANNELS, read_object(reply.body))["entities"])

    def topics(self, channel_id: str, token: Token) -> frozenset[str]:
        """The channel's topic list as Genesys has it. Raises NotFound or TokenDead if the channel is gone."""
        reply = self._call("list_topics", Priority.SUBSCRIPTIONS, token, "GET", _subscriptions(channel_id))
        return frozenset(result.topic for result in _results(reply) if result.permitted)

    def add_topics(self, channel_id: str, token: Token, topics: Sequence[str]) -> tuple[TopicResult, ...]:
        """Add topics to the channel's list; those already on it stay. Raises TooManyTopics, NotFound, TokenDead.

        Returns:
            Genesys's result for each topic. A topic without a result may or may not have been added.
        """
        return self._change("add_topics", "POST", channel_id, token, topics)

    def replace_topics(self, channel_id: str, token: Token, topics: Sequence[str]) -> tuple[TopicResult, ...]:
        """Replace the channel's whole list. Raises TooManyTopics, NotFound, TokenDead."""
        return self._change("replace_topics", "PUT", channel_id, token, topics)

    def clear_topics(self, channel_id: str, token: Token) -> None:
        """Empty the channel's list. Raises NotFound, TokenDead."""
        self._call("clear_topics", Priority.SUBSCRIPTIONS, token, "DELETE", _subscriptions(channel_id))

    def conversation(self, conversation_id: str) -> Conversation:
        """The conversation as it is now.

        Args:
            conversation_id: In lower case.

        Raises:
            NotFound: Genesys has no such conversation.
            Forbidden: The permission conversation:communication:view is missing.
        """
        path = f"/api/v2/conversations/{_checked(conversation_id)}"
        _, reply = self._call_renewing("conversation", Priority.LIVE_QUESTIONS, "GET", path)
        conversation = live_view.from_answer(reply.body)
        if conversation.id != conversation_id:
            raise BadAnswer("the answer is about another conversation")
        return conversation

    def conversation_details(self, ids: Sequence[str]) -> tuple[analytics.Details, ...]:
        """The analytics of up to MAX_DETAILS conversations; conversations not in analytics yet are left out.

        Whatever the answer says about other conversations is left out, too.

        Args:
            ids: In lower case.

        Raises:
            Forbidden: The permission analytics:conversationDetail:view is missing.
            ValueError: There are more ids than MAX_DETAILS.
        """
        if len(ids) > MAX_DETAILS:
            raise ValueError(f"{len(ids)} ids, at most {MAX_DETAILS}")
        if not ids:
            return ()
        params = [("id", _checked(one)) for one in ids]
        path = "/api/v2/analytics/conversations/details"
        _, reply = self._call_renewing("conversation_details", Priority.BULK_QUESTIONS, "GET", path, params=params)
        wanted = frozenset(ids)
        return tuple(one for one in analytics.details_from_answer(reply.body) if one.conversation_id in wanted)

    def user_name(self, user_id: str) -> str | None:
        """The name of an agent; None if there is no such user, no name, or no permission to see it."""
        return self._name("user_name", f"/api/v2/users/{user_id}") if _UUID.match(user_id) else None

    def wrapup_name(self, code: str) -> str | None:
        """The name of a wrap-up code; None if it has none (as system codes) or there is no permission to see it."""
        return self._name("wrapup_name", f"/api/v2/routing/wrapupcodes/{code}") if _WRAPUP_CODE.match(code) else None

    def user_names(self, user_ids: Sequence[str], *, urgent: bool = True) -> dict[str, str | None]:
        """The names of up to MAX_NAMES agents by id; None if the answer shows an agent without a name.

        An id that is missing in the result is not known to have no name: ask for it alone.

        Args:
            user_ids: Ids for which :func:`in_bulk` holds.
            urgent: Whether records wait for these names. Otherwise the call is the least urgent of all.

        Raises:
            ValueError: There are more ids than MAX_NAMES.
        """
        return self._names("user_names", "/api/v2/users", user_ids, Priority.NAMES if urgent else _LEAST_URGENT)

    def wrapup_names(self, codes: Sequence[str]) -> dict[str, str | None]:
        """The names of up to MAX_NAMES wrap-up codes by id, like :meth:`user_names`.

        Raises:
            Forbidden: The permission routing:wrapupCode:view is missing.
            ValueError: There are more ids than MAX_NAMES.
        """
        return self._names("wrapup_names", "/api/v2/routing/wrapupcodes", codes, Priority.NAMES)

    def _name(self, operation: str, path: str) -> str | None:
        try:
            _, reply = self._call_renewing(operation, Priority.NAMES, "GET", path)
        except (NotFound, Forbidden):
            return None
        return names.from_answer(reply.body)

    def _names(self, operation: str, path: str, ids: Sequence[str], priority: Priority) -> dict[str, str | None]:
        if len(ids) > MAX_NAMES:
            raise ValueError(f"{len(ids)} ids, at most {MAX_NAMES}")
        if not all(map(in_bulk, ids)):
            raise PermanentFailure("not an id of a user or a wrap-up code")
        if not ids:
            return {}
        # Genesys docs: without pageSize the answer holds 25 at most.
        params = [*(("id", one) for one in ids), ("pageSize", str(MAX_NAMES))]
        _, reply = self._call_renewing(operation, priority, "GET", path, params=params)
        return names.names_from_answer(reply.body, ids)

    def _change(
        self, operation: str, method: str, channel_id: str, token: Token, topics: Sequence[str]
    ) -> tuple[TopicResult, ...]:
        body = [{"id": topic} for topic in topics]
        # Genesys docs: without ignoreErrors one forbidden topic fails the whole call.
        params = [("ignoreErrors", "true")]
        path = _subscriptions(channel_id)
        return _results(self._call(operation, Priority.SUBSCRIPTIONS, token, method, path, json=body, params=params))

    def _call_renewing(
        self, operation: str, priority: Priority, method: str, path: str, **parts: Any
    ) -> tuple[Token, Reply]:
        """Call with the current token; if Genesys no longer accepts it, once more with a new one."""
        token = self._token()
        try:
            return token, self._call(operation, priority, token, method, path, **parts)
        except TokenDead:
            token = self._token()
            return token, self._call(operation, priority, token, method, path, **parts)

    def _token(self) -> Token:
        try:
            return self._tokens.current()
        except TokenRefused as error:
            # The deployment is at fault, not this call: a PermanentFailure would pass for Genesys's answer to the call.
            raise NoToken(str(error)) from error

    def _call(
        self,
        operation: str,
        priority: Priority,
        token: Token,
        method: str,
        path: str,
        *,
        permitted: Callable[[], bool] = lambda: True,
        **parts: Any,
    ) -> Reply:
        with self._limiter.take(priority):
            if not permitted():
                raise NotPermitted(f"{operation}: no longer permitted")
            self._metrics.api_calls.labels(priority.name.lower()).inc()
            headers = {"Authorization": f"Bearer {token.value}"}
            reply = counted_call(self._http, self._metrics, operation, method, path, headers=headers, **parts)
            self._limiter.observe(reply.headers)
            if reply.status == 429:
                self._limiter.pause(self._pause_seconds(reply))
            else:
                self._limiter.served()
        if reply.status == 401:
            self._tokens.discard(token)
        elif reply.status < 500:
            self._tokens.accepted(token)
        if 200 <= reply.status < 300:
            return reply
        raise self._error_of(operation, reply)

    def _pause_seconds(self, reply: Reply) -> float:
        """The Retry-After of a 429, or the first back-off if it has none."""
        return self._settings.retry_base_seconds if reply.retry_after is None else reply.retry_after

    def _error_of(self, operation: str, reply: Reply) -> TransientFailure | PermanentFailure:
        """The error to raise for an answer that is no success."""
        code = _code(reply)
        text = f"{operation}: Genesys answered {reply.status} {code}".rstrip()
        if reply.status == 401:
            return TokenDead(text)
        if reply.status == 429:
            return Throttled(text, self._pause_seconds(reply))
        if transient(reply.status):
            return TransientFailure(text, reply.retry_after)
        if reply.status == 404:
            return NotFound(text)
        self._logger.warning(
            "genesys_refused",
            operation=operation,
            status=reply.status,
            code=code,
            request=_request_id(reply),
        )
        if reply.status == 403:
            return Forbidden(text)
        return TooManyTopics(text) if code == _TOO_MANY else PermanentFailure(text)


def in_bulk(one: str) -> bool:
    """Whether the name of this user or wrap-up code may be asked for in bulk: system codes are no UUIDs."""
    return _UUID.match(one) is not None


def _subscriptions(channel_id: str) -> str:
    if not CHANNEL_ID.match(channel_id):
        raise PermanentFailure("not an id of a channel")
    return f"{_CHANNELS}/{channel_id}/subscriptions"


def _checked(conversation_id: str) -> str:
    if not _UUID.match(conversation_id):
        raise PermanentFailure("not an id of a conversation")
    return conversation_id


def _results(reply: Reply) -> tuple[TopicResult, ...]:
    entities = load(TOPICS, read_object(reply.body))["entities"]
    # Only a rejected topic is certain to have a state; in a list that is merely read it may be missing.
    return tuple(
        TopicResult(topic=one["id"], permitted=one["state"] != "Rejected", reason=_reason(one["rejectionReason"]))
        for one in entities
    )


def _reason(text: object) -> str | None:
    """The reason of a rejection, short and on one line, because the conversation's timeline shows it."""
    if not isinstance(text, str):
        return None
    return "".join(c if c.isprintable() else " " for c in text[:_MAX_REASON]).strip() or None


def _code(reply: Reply) -> str:
    """Genesys's error code. The error's message is left out, because it may name people."""
    try:
        return str(load(ERROR_BODY, read_object(reply.body))["code"])
    except BadAnswer:
        return ""


def _request_id(reply: Reply) -> str | None:
    """The id of the request that Genesys support needs to find it."""
    text = reply.headers.get("ININ-Correlation-Id", "")
    return text if re.fullmatch(r"[A-Za-z0-9-]{1,64}", text) else None

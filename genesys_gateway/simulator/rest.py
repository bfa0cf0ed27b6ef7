"""The simulated part of the Genesys REST API: authentication, the rate limit, and every path.

Invariant: a call is authenticated, then counted, then carried out; a call that fails one of these changes nothing.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import orjson

from genesys_gateway.simulator.analytics_answer import analytics_answer, visible_after
from genesys_gateway.simulator.analytics_query import query_answer
from genesys_gateway.simulator.channels import Channel, TopicResult
from genesys_gateway.simulator.conversation_answer import conversation_answer
from genesys_gateway.simulator.errors import ApiError, LoginError, not_found
from genesys_gateway.simulator.name_pages import name_page
from genesys_gateway.simulator.oauth import Token
from genesys_gateway.simulator.odd_text import spoiled, with_value
from genesys_gateway.simulator.topics import ACW_PERMISSION, CATALOGUE
from genesys_gateway.simulator.wire import Answer, Request, Router
from genesys_gateway.simulator.world import World

Handler = Callable[[World, Token, Request, dict[str, str]], Answer]

_MINUTE = 60.0
#: Maximum number of ids in one bulk call (F53).
_BULK_LIMIT = 50
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

ROUTES: Router[Handler] = Router()


def route(method: str, template: str) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of a method and path."""

    def register(handler: Handler) -> Handler:
        ROUTES.add(method, template, handler)
        return handler

    return register


def call(world: World, request: Request) -> Answer:
    """Answer one API call, with the headers of F58 and F59; errors have Genesys's error body (F60)."""
    correlation = str(uuid.uuid4())
    headers = {"ININ-Correlation-Id": correlation}
    try:
        token = world.login.authenticate(request.header("Authorization"))
        headers |= _count_call(world, token)
        answer = _dispatch(world, token, request)
    except ApiError as error:
        return Answer(status=error.status, body=error_body(error, correlation), headers={**headers, **error.headers})
    return Answer(status=answer.status, body=answer.body, headers={**headers, **answer.headers})


def error_body(error: ApiError, correlation: str) -> dict[str, Any]:
    """Genesys's error body (F60)."""
    return {
        "message": error.message,
        "code": error.code,
        "status": error.status,
        "contextId": correlation,
        "details": [],
        "errors": [],
    }


def token_answer(world: World, request: Request) -> Answer:
    """Answer `POST /oauth/token` (F1); errors are a 400 with three keys (F6)."""
    try:
        token = world.login.grant(request.header("Authorization"), request.form())
    except LoginError as error:
        text = str(error)
        return Answer(status=400, body={"error": error.error, "description": text, "error_description": text})
    body = {"access_token": token.value, "token_type": "bearer", "expires_in": world.login.seconds_left(token)}
    return Answer(body=body)  # F4; there is no refresh token (F5)


def _count_call(world: World, token: Token) -> dict[str, str]:
    """Count a call in its token's minute and return the rate limit headers (F58).

    Raises:
        ApiError: 429 with Retry-After once the limit is reached.
    """
    now, allowed = world.clock.virtual(), world.options.calls_per_minute
    if now - token.window_start >= _MINUTE:
        token.window_start, token.calls_in_window = now, 0
    reset = max(1, round(world.clock.wall_seconds(token.window_start + _MINUTE - now)))
    headers = {"inin-ratelimit-allowed": str(allowed), "inin-ratelimit-reset": str(reset)}
    if token.calls_in_window >= allowed:
        raise ApiError(
            429,
            "too.many.requests",
            f"Rate limit exceeded the maximum [{allowed}] requests within [60] seconds",
            headers={**headers, "inin-ratelimit-count": str(token.calls_in_window), "Retry-After": str(reset)},
        )
    token.calls_in_window += 1
    return {**headers, "inin-ratelimit-count": str(token.calls_in_window)}


def _dispatch(world: World, token: Token, request: Request) -> Answer:
    if fault := world.faults.trigger("rate_storm", method=request.method, path=request.path):
        retry = {"Retry-After": str(fault.params.get("retryAfter", 1))}
        raise ApiError(429, "too.many.requests", "Rate limit exceeded", headers=retry)
    found = ROUTES.find(request.path)
    if found is None:
        raise not_found("resource")
    methods, parameters = found
    handler = methods.get(request.method)
    if handler is None:
        raise ApiError(405, "method.not.allowed", "Method not allowed.", headers={"Allow": ", ".join(methods)})
    return handler(world, token, request, parameters)


def _require_permission(token: Token, permission: str) -> None:
    if permission not in token.client.permissions:
        raise ApiError(
            403,
            "missing.permissions",
            f"Unable to perform the requested action. You are missing the following permission(s): {permission}",
        )


# --- notification channels -------------------------------------------------------------------------------------


@route("POST", "/api/v2/notifications/channels")
def _create_channel(world: World, token: Token, request: Request, _: dict[str, str]) -> Answer:
    return Answer(body=_channel_body(world, world.channels.create(token), request))  # 200, not 201 (F10)


@route("GET", "/api/v2/notifications/channels")
def _list_channels(world: World, token: Token, request: Request, _: dict[str, str]) -> Answer:
    """The token's channels; with `oauthclient` also those of the owner's other tokens, without their ids (F13)."""
    scope = request.one("includechannels", "token")
    if scope not in ("token", "oauthclient"):
        raise ApiError(
            400, "invalid.query.param.value", f"Value [{scope}] is not valid for parameter [includechannels]"
        )
    entities = []
    for channel in world.channels.by_id.values():
        if channel.token is token:
            entities.append(_channel_body(world, channel, request))
        elif scope == "oauthclient" and channel.token.owner == token.owner:
            entities.append({"expires": world.channels.expires_iso(channel)})
    return Answer(body={"entities": entities})


@route("HEAD", "/api/v2/notifications/channels/{channel}")
def _has_channel(world: World, token: Token, _: Request, path: dict[str, str]) -> Answer:
    world.channels.get(path["channel"], token)
    return Answer()


@route("GET", "/api/v2/notifications/channels/{channel}/subscriptions")
def _subscriptions(world: World, token: Token, _: Request, path: dict[str, str]) -> Answer:
    channel = world.channels.get(path["channel"], token)
    return Answer(body={"entities": [_topic_body(TopicResult(topic=topic)) for topic in channel.topics]})


@route("POST", "/api/v2/notifications/channels/{channel}/subscriptions")
def _subscribe(world: World, token: Token, request: Request, path: dict[str, str]) -> Answer:
    return _change_subscriptions(world, token, request, path, world.channels.add)


@route("PUT", "/api/v2/notifications/channels/{channel}/subscriptions")
def _replace(world: World, token: Token, request: Request, path: dict[str, str]) -> Answer:
    return _change_subscriptions(world, token, request, path, world.channels.replace)


@route("DELETE", "/api/v2/notifications/channels/{channel}/subscriptions")
def _clear(world: World, token: Token, _: Request, path: dict[str, str]) -> Answer:
    channel = world.channels.get(path["channel"], token)
    world.channels.remove(channel, channel.topics)
    return Answer()


@route("GET", "/api/v2/notifications/availabletopics")
def _available_topics(_: World, __: Token, request: Request, ___: dict[str, str]) -> Answer:
    expand = frozenset(word for value in request.query.get("expand", ()) for word in value.split(","))
    return Answer(body={"entities": [kind.as_json(expand) for kind in CATALOGUE]})


def _change_subscriptions(
    world: World, token: Token, request: Request, path: dict[str, str], change: Callable[..., list[TopicResult]]
) -> Answer:
    channel = world.channels.get(path["channel"], token)
    topics = _topics_of(request)
    results = change(channel, topics, ignore_errors=request.one("ignoreErrors").lower() == "true")
    return Answer(body={"entities": [_topic_body(result) for result in results]})


def _topics_of(request: Request) -> list[object]:
    """The topic ids of the bare array (F16). Raises ApiError 400 if the body is anything else."""
    try:
        wanted = request.json()
    except ValueError:
        wanted = None
    if not isinstance(wanted, list) or not all(isinstance(item, dict) for item in wanted):
        raise ApiError(400, "bad.request", "The body must be an array of topics.")
    return [item.get("id") for item in wanted]


def _channel_body(world: World, channel: Channel, request: Request) -> dict[str, str]:
    fault = world.faults.trigger("connect_uri", channel=channel.id)
    scheme = "wss" if request.header("X-Forwarded-Proto") == "https" else "ws"
    base = world.options.streaming_url or f"{scheme}://{request.header('Host')}"
    uri = f"{base}/channels/{channel.id}"
    return {
        "id": channel.id,
        "connectUri": str(fault.params.get("uri", uri)) if fault else uri,
        "expires": world.channels.expires_iso(channel),
    }


def _topic_body(result: TopicResult) -> dict[str, Any]:
    body: dict[str, Any] = {"id": result.topic, "state": "Permitted" if result.reason is None else "Rejected"}
    if result.reason is not None:
        body |= {"rejectionReason": result.reason, "missingPermissions": list(result.missing)}
    return body


# --- conversations and analytics -------------------------------------------------------------------------------


@route("GET", "/api/v2/conversations/{conversation}")
def _conversation(world: World, token: Token, _: Request, path: dict[str, str]) -> Answer:
    _require_permission(token, "conversation:communication:view")
    conversation = world.contact_centre.conversations.get(path["conversation"].lower())
    if conversation is None:
        raise not_found("conversation")
    return Answer(body=_as_sent(world, "live", conversation.id, conversation_answer(conversation)))


@route("GET", "/api/v2/analytics/conversations/{conversation}/details")
def _details_of_one(world: World, token: Token, _: Request, path: dict[str, str]) -> Answer:
    _require_permission(token, ACW_PERMISSION)
    found = _details(world, [path["conversation"]])
    if not found:
        raise not_found("conversation")
    return Answer(body=_as_sent(world, "analytics", path["conversation"].lower(), found[0]))


@route("GET", "/api/v2/analytics/conversations/details")
def _details_of_many(world: World, token: Token, request: Request, _: dict[str, str]) -> Answer:
    """Several conversations; those that are unknown, or not yet in analytics, are missing (F53, F56)."""
    _require_permission(token, ACW_PERMISSION)
    ids = [part for value in request.query.get("id", ()) for part in value.split(",") if part]
    if not ids or len(ids) > _BULK_LIMIT:
        raise ApiError(400, "bad.request", f"Between 1 and {_BULK_LIMIT} ids are needed.")
    found = _details(world, ids)
    if not world.faults.is_on("odd_text"):
        return Answer(body={"conversations": found})
    each = (_as_sent(world, "analytics", answer["conversationId"], answer) for answer in found)
    return Answer(body=with_value({}, "conversations", b"[%s]" % b",".join(each)))


@route("POST", "/api/v2/analytics/conversations/details/query")
def _details_query(world: World, token: Token, request: Request, _: dict[str, str]) -> Answer:
    _require_permission(token, ACW_PERMISSION)
    return Answer(body=query_answer(request, _details(world, list(world.contact_centre.conversations))))


def _as_sent(world: World, view: str, conversation_id: str, answer: dict[str, Any]) -> bytes:
    fault = world.faults.trigger("odd_text", view=view, conversation=conversation_id)
    return orjson.dumps(answer) if fault is None else spoiled(answer, fault.params)


def _details(world: World, ids: list[str]) -> list[dict[str, Any]]:
    visible = visible_after(world.clock.virtual(), world.options.analytics_lag_seconds)
    known = (world.contact_centre.conversations.get(conversation_id.lower()) for conversation_id in ids)
    answers = (analytics_answer(conversation, visible) for conversation in known if conversation is not None)
    return [answer for answer in answers if answer is not None]


# --- names and tokens ------------------------------------------------------------------------------------------


@route("GET", "/api/v2/users/me")
def _me(world: World, token: Token, _: Request, __: dict[str, str]) -> Answer:
    if not token.user:
        message = "This request requires a user context. Client credentials cannot be used."
        raise ApiError(400, "not.a.user", message)
    return Answer(body=_entity(token.user, world.contact_centre.users.get(token.user, "Simulated user"), "users"))


@route("GET", "/api/v2/users/{user}")
def _user(world: World, _: Token, __: Request, path: dict[str, str]) -> Answer:
    """A user's name; no permission is needed (F57)."""
    user = path["user"].lower()
    if user not in world.contact_centre.users:
        raise ApiError(404, "general.resource.not.found", "Unable to find a user with that userId")
    return Answer(body=_user_body(world, user))


@route("GET", "/api/v2/users")
def _users(world: World, _: Token, request: Request, __: dict[str, str]) -> Answer:
    """Several users, or a page of all (F64)."""
    return Answer(
        body=name_page(request, "users", {user: _user_body(world, user) for user in world.contact_centre.users})
    )


def _user_body(world: World, user: str) -> dict[str, str | None]:
    nameless = user in world.contact_centre.nameless
    name = None if nameless else world.contact_centre.users[user]
    return {**_entity(user, name, "users"), "state": "deleted" if nameless else "active"}


@route("GET", "/api/v2/routing/wrapupcodes/{code}")
def _wrapup_code(world: World, token: Token, _: Request, path: dict[str, str]) -> Answer:
    """A wrap-up code's name. System codes such as ININ-WRAP-UP-TIMEOUT have none (F57)."""
    _require_permission(token, "routing:wrapupCode:view")
    codes = _wrapup_codes_by_id(world)
    if path["code"].lower() not in codes:
        raise not_found("resource")
    return Answer(body=codes[path["code"].lower()])


@route("GET", "/api/v2/routing/wrapupcodes")
def _wrapup_codes(world: World, token: Token, request: Request, _: dict[str, str]) -> Answer:
    """Several wrap-up codes, or a page of all (F65)."""
    _require_permission(token, "routing:wrapupCode:view")
    return Answer(body=name_page(request, "routing/wrapupcodes", _wrapup_codes_by_id(world)))


def _wrapup_codes_by_id(world: World) -> dict[str, dict[str, str | None]]:
    centre = world.contact_centre
    return {
        code: _entity(code, None if code in centre.nameless else name, "routing/wrapupcodes")
        for code, name in centre.wrapup_codes.items()
        if _UUID.fullmatch(code)
    }


@route("GET", "/api/v2/tokens/me")
def _token_info(world: World, token: Token, _: Request, __: dict[str, str]) -> Answer:
    organization = {"id": str(uuid.uuid5(uuid.NAMESPACE_DNS, world.login.org_name)), "name": world.login.org_name}
    return Answer(
        body={
            "organization": organization,
            "homeOrganization": organization,
            "authorizedScope": ["notifications", "conversations:readonly", "analytics:readonly", "users:readonly"],
            "OAuthClient": {"id": token.client.id, "name": "Simulated client", "organization": organization},
        }
    )


@route("HEAD", "/api/v2/tokens/me")
def _token_is_valid(_: World, __: Token, ___: Request, ____: dict[str, str]) -> Answer:
    return Answer()


@route("DELETE", "/api/v2/tokens/me")
def _revoke(world: World, token: Token, _: Request, __: dict[str, str]) -> Answer:
    world.login.revoke(token)
    return Answer()


def _entity(identity: str, name: str | None, folder: str) -> dict[str, str | None]:
    return {"id": identity, "name": name, "selfUri": f"/api/v2/{folder}/{identity}"}

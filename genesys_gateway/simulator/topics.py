"""The topics that can be subscribed, and the permissions each needs (F20, F22)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

ACW_PERMISSION = "analytics:conversationDetail:view"

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicKind:
    """One entry of the list of available topics."""

    template: str
    description: str
    permissions: tuple[str, ...]
    #: `Websocket`, `EventBridge`, `ProcessAutomation`. A topic without `Websocket` can't be subscribed on a channel.
    transports: tuple[str, ...] = ("Websocket", "EventBridge")

    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.escape(self.template).replace(r"\{id\}", _UUID))

    def as_json(self, expand: frozenset[str]) -> dict[str, Any]:
        """Id and description, and the fields that `expand` requests, as Genesys does (F22)."""
        answer: dict[str, Any] = {"id": self.template, "description": self.description}
        if "requiresPermissions" in expand:
            answer["requiresPermissions"] = list(self.permissions)
        if "permissionDetails" in expand:
            answer["permissionDetails"] = [{"type": "requiresPermissions", "permissions": list(self.permissions)}]
        if "transports" in expand:
            answer["transports"] = list(self.transports)
        if "enforced" in expand:
            answer["enforced"] = True
        return answer


def acw_topic(conversation_id: str) -> str:
    """The topic that announces the end of a conversation's after-call work (F35)."""
    return f"v2.detail.events.conversation.{conversation_id}.acw"


def conversation_of(topic: str) -> str:
    """The conversation that a topic is about; empty if it is about none."""
    return topic.split(".")[4] if topic.startswith("v2.detail.events.conversation.") else ""


def _detail(name: str) -> TopicKind:
    return TopicKind(
        template=f"v2.detail.events.conversation.{{id}}.{name}",
        description=f"Analytics detail event: {name}",
        permissions=(ACW_PERMISSION,),
    )


CATALOGUE: tuple[TopicKind, ...] = (
    *(_detail(name) for name in ("acw", "customer.end", "customer.start", "user.end", "user.start", "wrapup")),
    TopicKind(
        template="v2.conversations.{id}.transcription",
        description="Transcription of a conversation",
        permissions=("recording:recording:view",),
    ),
    TopicKind(
        template="v2.users.{id}.conversations",
        description="Conversations of a user",
        permissions=("conversation:communication:view",),
    ),
    TopicKind(template="v2.users.{id}.presence", description="Presence of a user", permissions=()),
    TopicKind(
        template="v2.operational.events.{id}",
        description="Operational events",
        permissions=(),
        transports=("EventBridge",),
    ),
)


_PATTERNS = tuple((kind.pattern(), kind) for kind in CATALOGUE)


def kind_of(topic: object) -> TopicKind | None:
    """The kind of a topic; None if no such topic can exist (F20)."""
    if not isinstance(topic, str):
        return None
    return next((kind for pattern, kind in _PATTERNS if pattern.fullmatch(topic)), None)

"""The values of the labels, each a short fixed list."""

from collections.abc import Mapping

#: States of a conversation.
CONVERSATION_STATES = ("pending", "subscribed", "closed")
#: Where an event came from.
SOURCES = ("live", "backfill", "supportResult")
#: Reasons why a frame, a part of it, or its storing was rejected.
REJECTED = (
    *("not_json", "not_an_object", "bad_topic", "no_body", "bad_identity", "no_identity", "other_conversation"),
    *("field", "never_registered", "not_storable", "spool_full"),
)
#: Calls to Genesys Cloud, and their possible outcomes.
GENESYS_OPERATIONS = (
    *("token", "create_channel", "list_topics", "add_topics", "replace_topics", "clear_topics"),
    *("conversation", "conversation_details", "user_name", "user_names", "wrapup_name", "wrapup_names"),
)
GENESYS_OUTCOMES = (
    *("ok", "unauthorized", "forbidden", "not_found", "throttled", "refused", "failed", "no_reply", "not_sent"),
)
#: Calls to CommunicationHistory, and their possible outcomes: the class of the status, or that there was none.
HISTORY_OPERATIONS = ("post", "lookup")
HISTORY_OUTCOMES = ("2xx", "3xx", "4xx", "5xx", "no_reply", "not_sent")
#: Classes of calls in the rate limiter, the most urgent first.
CALL_CLASSES = ("channels", "subscriptions", "names", "bulk_questions", "live_questions")
#: States of the circuit breaker for CommunicationHistory.
DELIVERY_STATES = ("flowing", "broken", "half_open", "paused", "probing")
#: How a delivery attempt ended.
DELIVERY_OUTCOMES = ("delivered", "failed", "dead")
#: Why a channel was created, why it was handed over, and what Genesys says about channels unasked.
CHANNEL_REASONS = ("demand", "handover")
HANDOVER_REASONS = ("notice", "expiry", "idle", "gone")
NOTICES = ("socket_closing", "no_longer_subscribed", "token_revoked", "subscription_updated", "unknown")
#: States of an instance.
INSTANCE_STATES = ("running", "draining", "lost", "left")
#: How far this process is between its start and its end.
PHASES = ("starting", "running", "draining", "stopped")
#: Everything that can be wrong, as operators are told.
TROUBLES = (
    *("receiver_down", "receiver_misdeployed", "receiver_refuses", "records_dead", "no_token", "assertion_stale"),
    *("uncovered", "channels_full", "calls_exhausted", "reads_forbidden", "disk_refuses", "unresolved"),
    *("unaccounted", "frames_set_aside", "instance_lost"),
)
#: Methods of requests; HEAD counts as GET.
METHODS = ("GET", "POST", "other")
#: Route of a request that fits no route.
NO_ROUTE = "none"
#: Classes of the status of an answer.
STATUS_CLASSES = ("2xx", "3xx", "4xx", "5xx")
#: Results of a login to the dashboard.
LOGIN_OUTCOMES = ("ok", "wrong_token", "wrong_role")
#: Labels whose values the application lists when it is made, and what they are.
FROM_APPLICATION: Mapping[str, str] = {
    "route": "each route, such as `/customers/supportInteraction`; `none`: no route fits"
}

"""What each setting means to operators. ``make references`` writes docs/settings.md from this and from the fields.

Invariant: there is one text for each setting, in Markdown, and none for anything else.
"""

from collections.abc import Mapping

#: A variable without a field of its own: it gives three fields their default.
REGION = "GENESYS_ENVIRONMENT"

#: The meanings by variable, in sections.
MEANINGS: Mapping[str, Mapping[str, str]] = {
    "Genesys Cloud": {
        REGION: (
            "domain of the region, for example `mypurecloud.jp`; the hosts are `login.`, `api.` and `streaming.` "
            "before it"
        ),
        "GENESYS_LOGIN_URL": "another login host",
        "GENESYS_API_URL": "another API host",
        "GENESYS_STREAMING_HOSTS": "hosts that a `connectUri` may name",
        "GENESYS_GRANT_TYPE": (
            "how the gateway identifies itself, see [connecting "
            "Genesys](connect-genesys.md#1-choose-how-the-gateway-identifies-itself)"
        ),
        "GENESYS_CLIENT_ID": "the OAuth client",
        "GENESYS_CLIENT_SECRET": "its secret",
        "GENESYS_ORG_NAME": "short name of the organisation; for SAML2",
        "GENESYS_SAML_ASSERTION_FILE": (
            "the Base64 SAML response; read again for each token; [sent "
            "again](connect-genesys.md#when-an-assertion-is-sent-again) only if it was not replaced"
        ),
        "GENESYS_SAML_ASSERTION_URL": "or: URL that returns an assertion for each GET, as the whole body",
        "GENESYS_SAML_ASSERTION_URL_TOKEN": "bearer token for that URL",
        "GENESYS_SAML_KEY_FILE": "or: the gateway signs assertions itself; RSA key as PEM, without a passphrase",
        "GENESYS_SAML_CERTIFICATE_FILE": "certificate of that key as PEM; Genesys must have it",
        "GENESYS_SAML_ISSUER": "the issuer URI configured in Genesys",
        "GENESYS_SAML_SUBJECT": "e-mail address of the Genesys user as which the gateway acts",
        "GENESYS_SAML_AUDIENCE": "audience and recipient: the URL of this application in Genesys",
        "GATEWAY_API_RATE_PER_MINUTE": "maximum REST calls to Genesys in any 60 seconds",
    },
    "Outbound connections": {
        "COMMUNICATION_HISTORY_URL": "base URL of CommunicationHistory",
        "COMMUNICATION_HISTORY_TOKEN": "bearer token for it",
        "GATEWAY_CA_BUNDLE": "CA certificates for all outbound TLS; without it, those of the system",
        "GATEWAY_HTTPS_PROXY": "proxy for REST and WebSockets",
        "GATEWAY_NO_PROXY": "hosts, domains and networks reached without the proxy; `*` for all",
        "GATEWAY_PLAIN_HTTP_HOSTS": (
            "hosts besides loopback that the gateway may connect to without TLS, with a warning for each"
        ),
        "GATEWAY_HTTP_TIMEOUT_SECONDS": "total time of one outbound call",
    },
    "HTTP interface and database": {
        "GATEWAY_BIND": "the address at which the gateway listens",
        "GATEWAY_KEEPALIVE_SECONDS": (
            "how long an idle connection of a caller is kept. Longer than proxies and HTTP clients keep theirs "
            "(usually 60 s), so that no request meets a connection that is being closed"
        ),
        "GATEWAY_TOKENS": (
            "`role:token` pairs, separated by commas or line breaks; roles `bofe`, `backoffice`, `ops`; several "
            "tokens of one role for rotation. Needed unless there is an issuer of tokens"
        ),
        "GATEWAY_OIDC_ISSUER": "issuer of JSON Web Tokens that are accepted too: exactly its `iss`",
        "GATEWAY_OIDC_AUDIENCE": "audience that their `aud` must name",
        "GATEWAY_OIDC_JWKS_URL": "URL of the issuer's key set (its `jwks_uri`)",
        "GATEWAY_CLIENT_RATE_PER_MINUTE": (
            "maximum requests per minute of one token, or of one caller (`sub`) with tokens of the issuer; "
            "further requests get 429; 0 is no limit"
        ),
        "DATABASE_URL": (
            "a SQLite file, or `postgresql+psycopg://…`, which may name [several "
            "servers](postgresql.md#several-servers)"
        ),
        "GATEWAY_LEASE_SECONDS": "how long claims hold without renewal; at least twice the HTTP timeout",
        "GATEWAY_RETENTION_DAYS": "delivered records and closed conversations lose their content after this time",
        "GATEWAY_FORGET_DAYS": (
            "closed conversations are deleted after this time, with their records, registration and timeline, but "
            "never before their content is erased"
        ),
    },
    "Channels": {
        "GATEWAY_CHANNEL_TOPICS": "maximum conversations on one channel",
        "GATEWAY_CHANNEL_BUDGET": (
            "maximum channels connected at a time, over all instances of the OAuth client; one is kept free for "
            "handovers"
        ),
        "GATEWAY_CHANNEL_IDLE_SECONDS": "how long a channel without topics is kept",
        "GATEWAY_CHANNEL_HANDOVER_SECONDS": (
            "how long before its end a channel is handed over; at most a quarter of its life"
        ),
        "GATEWAY_CHANNEL_OVERLAP_SECONDS": "how long the gateway still reads the old socket after a handover",
        "GATEWAY_HEARTBEAT_SECONDS": (
            "silence after which a socket counts as dead; Genesys sends a heartbeat every 30 s"
        ),
        "GATEWAY_REPLY_SECONDS": "how long to wait for the reply to a message over a socket",
        "GATEWAY_AUDIT_SECONDS": "how often the topic list of each channel is compared with ours",
    },
    "Reconciliation and delivery": {
        "GATEWAY_QUIET_SECONDS": "time after an event until the gateway asks whether the conversation is over",
        "GATEWAY_RECONCILE_SECONDS": (
            "first interval between questions about a followed conversation; it doubles, up to one hour. A "
            "conversation that Genesys does not know for 30 such intervals (at most an hour) gets "
            "`unknown_to_genesys` in its timeline"
        ),
        "GATEWAY_ANALYTICS_SETTLE_SECONDS": "time until analytics count as complete",
        "GATEWAY_FOLLOW_DEADLINE_SECONDS": (
            "time after the last sign of life until a conversation is closed, after one more answer"
        ),
        "GATEWAY_LAST_LOOK_SECONDS": (
            "time after the close until the gateway asks once more whether an event was missed; then daily until "
            "answered"
        ),
        "GATEWAY_RETRY_BASE_SECONDS": "first back-off, with full jitter",
        "GATEWAY_RETRY_MAX_SECONDS": "longest back-off",
        "GATEWAY_RETRY_LIMIT_HOURS": (
            "time after which a record is dead; time in which nothing could be sent does not count"
        ),
        "GATEWAY_NAME_LOOKUP_PATIENCE_SECONDS": "how long a record waits for the names of agent and wrap-up code",
        "GATEWAY_DEFAULT_COUNTRY": "country of phone numbers without a country code",
        "GATEWAY_DOMAIN_BY_QUEUE": "queue id to the record's `domain`",
    },
    "Logs": {
        "GATEWAY_LOG_LEVEL": "lines below this level are not logged",
        "GATEWAY_LOG_FORMAT": (
            "`json` for programs, `text` for people; `auto` is `text` where stderr is a terminal, else `json`"
        ),
    },
    "Traces": {
        "OTEL_EXPORTER_OTLP_ENDPOINT": (
            "base URL of a collector of traces, such as `http://127.0.0.1:4318`; see [traces](tracing.md), which "
            "names the other variables of OpenTelemetry"
        ),
    },
}

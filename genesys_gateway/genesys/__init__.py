"""The only client of Genesys Cloud: login, REST calls, WebSockets, and how their answers are read.

Invariant: no call exceeds the rate limit, no answer is believed unchecked, and no JSON of Genesys leaves this folder.

The files, in reading order:

    client               Genesys: every REST question as one method
    call                 one call: counted, its body read, or BadAnswer
    rate_limiter         at most N calls in any minute, the most urgent first
    tokens               the access token, renewed before it ends
    login                how the token is obtained
    assertions           where a SAML assertion comes from
    live_view            reads the answer of ``GET /conversations/{id}``
    analytics            reads the answer of the analytics API
    notifications        reads a WebSocket frame
    websocket            one WebSocket, bounded in size and time
    connect_uri          checks the address of a WebSocket
    name_cache           names of agents and wrap-up codes, kept for a day
    schemas              the JSON of Genesys, as marshmallow schemas
"""

from genesys_gateway.genesys.client import ChannelGrant, Genesys
from genesys_gateway.genesys.name_cache import NameCache
from genesys_gateway.genesys.rate_limiter import RateLimiter
from genesys_gateway.genesys.tokens import Tokens
from genesys_gateway.genesys.websocket import open_socket

__all__ = ["ChannelGrant", "Genesys", "NameCache", "RateLimiter", "Tokens", "open_socket"]

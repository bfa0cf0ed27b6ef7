"""The only client of Genesys Cloud: gets an access token, makes REST calls, opens WebSockets, and reads the answers.

Invariant: no call exceeds the rate limit, no answer is used unchecked, and no JSON of Genesys leaves this folder.

The files, in reading order:

    client               Genesys: every REST call as one method
    call                 makes one counted call and reads its body, or raises BadAnswer
    rate_limiter         permits at most N calls in any minute, the most urgent first; questions leave a reserve
    load                 tells whether calls are scarce now, and how many are left
    tokens               the access token, renewed before it expires
    login                requests a token from the login host
    client_key           names the OAuth client whose budget of channels instances share
    assertions           where SAML assertions come from
    live_view            reads the answer of ``GET /conversations/{id}``
    analytics            reads the answer of the analytics API
    legs                 the customer's legs in either answer
    notifications        reads a WebSocket frame
    websocket            one WebSocket, limited in size and time
    connect_uri          checks the address of a WebSocket before it is opened
    names                reads the answers about names of users and wrap-up codes
    name_cache           names of agents and wrap-up codes, kept for a day
    name_queue           asks for one name at once, and for names that are wanted meanwhile together
    expected_names       fetches names of agents before their events come
    schemas              the JSON of Genesys as marshmallow schemas
"""

from genesys_gateway.genesys.client import ChannelGrant, Genesys
from genesys_gateway.genesys.name_cache import NameCache
from genesys_gateway.genesys.rate_limiter import RateLimiter
from genesys_gateway.genesys.tokens import Tokens
from genesys_gateway.genesys.websocket import open_socket

__all__ = ["ChannelGrant", "Genesys", "NameCache", "RateLimiter", "Tokens", "open_socket"]

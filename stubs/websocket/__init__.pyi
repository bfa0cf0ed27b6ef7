"""Types of websocket-client, which leaves many functions untyped. Only what this project uses is listed.

Some classes have CapWords names here; the library's own names are bound to them.
"""

from ._abnf import ABNF as ABNF
from ._core import WebSocket as WebSocket
from ._core import create_connection as create_connection
from ._exceptions import WebSocketBadStatusException as WebSocketBadStatusException
from ._exceptions import WebSocketConnectionClosedException as WebSocketConnectionClosedException
from ._exceptions import WebSocketException as WebSocketException
from ._exceptions import WebSocketTimeoutException as WebSocketTimeoutException

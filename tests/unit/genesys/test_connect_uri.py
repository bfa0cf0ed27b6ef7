"""An address in an answer may lead to the configured hosts only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websocket._url import parse_url

from genesys_gateway.genesys.connect_uri import ConnectUri, check
from genesys_gateway.runtime.errors import PermanentFailure
from tests.doubles.genesys import settings

HOSTS = (("streaming.mypurecloud.jp", None), ("127.0.0.1", 9000), ("::1", 9001), ("gateway.test", None))
GOOD = "wss://streaming.mypurecloud.jp/channels/streaming-0-abc"


def checked(uri: str) -> ConnectUri:
    return check(uri, HOSTS, settings(plain_http_hosts=frozenset({"gateway.test"})).allows_plain_http_to)


@pytest.mark.parametrize(
    ("uri", "host", "port", "secure"),
    [
        (GOOD, "streaming.mypurecloud.jp", 443, True),
        ("wss://streaming.mypurecloud.jp:443/channels/x", "streaming.mypurecloud.jp", 443, True),
        ("wss://STREAMING.MyPureCloud.jp/channels/x", "streaming.mypurecloud.jp", 443, True),
        ("wss://streaming.mypurecloud.jp/", "streaming.mypurecloud.jp", 443, True),
        ("wss://streaming.mypurecloud.jp/channels/x?a=1&b=%2F:~", "streaming.mypurecloud.jp", 443, True),
        ("ws://127.0.0.1:9000/channels/x", "127.0.0.1", 9000, False),
        ("wss://127.0.0.1:9000/channels/x", "127.0.0.1", 9000, True),
        ("ws://[::1]:9001/channels/x", "::1", 9001, False),
        ("ws://gateway.test/channels/x", "gateway.test", 80, False),
        ("wss://streaming.mypurecloud.jp/" + "x" * 2000, "streaming.mypurecloud.jp", 443, True),
    ],
)
def test_an_address_of_a_configured_host_passes_unchanged(uri: str, host: str, port: int, secure: bool) -> None:
    assert checked(uri) == ConnectUri(uri=uri, host=host, port=port, secure=secure)


HOSTILE = [
    # another host, or one that only looks like ours
    "wss://evil.example/channels/x",
    "wss://streaming.mypurecloud.jp.evil.example/channels/x",
    "wss://evil.example/streaming.mypurecloud.jp/x",
    "wss://streamingxmypurecloud.jp/channels/x",
    "wss://mypurecloud.jp/channels/x",
    "wss://x.streaming.mypurecloud.jp/channels/x",
    "wss://streaming.mypurecloud.jp./channels/x",
    "wss://.streaming.mypurecloud.jp/channels/x",
    "wss://streaming.mypurecloud.jр/channels/x",  # noqa: RUF001 - a Cyrillic letter at the end
    "wss://streaming。mypurecloud.jp/channels/x",
    "wss://streaming.mypurecloud.j\N{FULLWIDTH LATIN SMALL LETTER P}/channels/x",
    "wss://xn--streaming-mypurecloud-jp/channels/x",
    "wss://streaming%2emypurecloud.jp/channels/x",
    "wss://127.0.0.1/channels/x",
    "wss://127.1:9000/channels/x",
    "wss://2130706433:9000/channels/x",
    "wss://0x7f.0.0.1:9000/channels/x",
    "wss://169.254.169.254/latest/meta-data",
    "wss://[::ffff:127.0.0.1]:9000/channels/x",
    "wss://[0:0:0:0:0:0:0:1]:9001/channels/x",
    "wss://[::1%25lo]:9001/channels/x",
    "wss://[::1/channels/x",
    "wss://::1:9001/channels/x",
    "wss:///channels/x",
    "wss://:443/channels/x",
    # another port
    "wss://streaming.mypurecloud.jp:444/channels/x",
    "wss://streaming.mypurecloud.jp:80/channels/x",
    "wss://streaming.mypurecloud.jp:0/channels/x",
    "wss://streaming.mypurecloud.jp:99999/channels/x",
    "wss://streaming.mypurecloud.jp:-443/channels/x",
    "wss://streaming.mypurecloud.jp:/channels/x",
    "wss://streaming.mypurecloud.jp:44３/channels/x",  # noqa: RUF001 - a full-width digit
    "wss://127.0.0.1:9001/channels/x",
    # credentials
    "wss://streaming.mypurecloud.jp@evil.example/channels/x",
    "wss://user@streaming.mypurecloud.jp/channels/x",
    "wss://user:word@streaming.mypurecloud.jp/channels/x",
    "wss://streaming.mypurecloud.jp%40evil.example/channels/x",
    "wss://streaming.mypurecloud.jp:443@evil.example/channels/x",
    "wss://streaming.mypurecloud.jp/@evil.example",
    # addresses that two parsers may read differently
    "wss://streaming.mypurecloud.jp\\@evil.example/channels/x",
    "wss:\\\\streaming.mypurecloud.jp\\channels",
    "wss://evil.example#@streaming.mypurecloud.jp/channels/x",
    "wss://evil.example?@streaming.mypurecloud.jp/channels/x",
    "wss://streaming.mypurecloud.jp/channels/x#evil",
    "wss://streaming.mypurecloud.jp/channels;evil",
    "wss:streaming.mypurecloud.jp/channels/x",
    "wss:/streaming.mypurecloud.jp/channels/x",
    "wss:////streaming.mypurecloud.jp/channels/x",
    "//streaming.mypurecloud.jp/channels/x",
    "streaming.mypurecloud.jp/channels/x",
    # schemes
    "ws://streaming.mypurecloud.jp/channels/x",
    "ws://streaming.mypurecloud.jp:443/channels/x",
    "https://streaming.mypurecloud.jp/channels/x",
    "http://127.0.0.1:9000/channels/x",
    "file:///etc/passwd",
    "gopher://127.0.0.1:9000/x",
    "javascript:alert(1)",
    "WSS://streaming.mypurecloud.jp/channels/x",
    " wss://streaming.mypurecloud.jp/channels/x",
    # control characters, spaces, letters beyond ASCII, length
    "wss://streaming.mypurecloud.jp/channels/x\n",
    "wss://streaming.mypurecloud.jp/channels/x\r\nHost: evil.example",
    "wss://streaming.mypurecloud.jp/channels/x y",
    "wss://streaming.mypurecloud.jp/channels/\x00",
    "wss://streaming.mypurecloud.jp\t/channels/x",
    "wss://streaming.mypurecloud.jp\x7f/channels/x",
    "wss://streaming.mypurecloud.jp/channels/é",
    "wss://streaming.mypurecloud.jp/channels/\N{RIGHT-TO-LEFT OVERRIDE}x",
    "wss://streaming.mypurecloud.jp/" + "x" * 2001,
    "wss://" + "x" * 100_000 + "/",
    "wss://streaming.mypurecloud.jp",
    "wss://",
    "",
    "\x00",
]


@pytest.mark.parametrize("uri", HOSTILE, ids=range(len(HOSTILE)))
def test_any_other_address_is_refused(uri: str) -> None:
    with pytest.raises(PermanentFailure, match=r"^connectUri ") as refusal:
        checked(uri)
    assert uri[6:] not in str(refusal.value) or len(uri) < 7  # text from outside stays out of our logs


def test_without_a_list_of_hosts_nothing_passes() -> None:
    with pytest.raises(PermanentFailure):
        check(GOOD, (), lambda _: True)


_ODD = ("@", "/", "\\", "#", "?", "%", "[", "]", ";", ":", ".", " ", "\n", "\u3002")
_WORDS = ("wss://", "ws://", "streaming.mypurecloud.jp", "evil.example", "127.0.0.1", ":9000", ":443", "channels")
_pieces = st.lists(st.sampled_from((*_ODD, *_WORDS)), max_size=8).map("".join)


@given(_pieces | _pieces.map(f"{GOOD}/".__add__) | st.text(max_size=60))
def test_the_library_that_connects_reads_an_accepted_address_as_we_do(uri: str) -> None:
    try:
        accepted = checked(uri)
    except PermanentFailure:
        return
    host, port, resource, secure = parse_url(uri)
    assert (host, port, secure) == (accepted.host, accepted.port, accepted.secure)
    assert accepted.host in {name for name, _ in HOSTS}
    assert uri.endswith((resource, f"{resource}?"))  # a question mark without a query changes nothing

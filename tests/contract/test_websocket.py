"""One WebSocket after it was opened: messages, sending, and every way in which it can be lost."""

import struct
from contextlib import suppress

import gevent
import pytest
from gevent.event import Event
from gevent.socket import SHUT_WR, SO_LINGER, SOL_SOCKET, socket

from genesys_gateway.genesys.websocket import MAX_MESSAGE_BYTES, NotificationSocket, SocketLost
from tests.doubles.websocket_server import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    connected,
    frame,
    idle,
    next_frame,
    until_lost,
    within,
)

# --- messages ---


def test_messages_arrive_whole_and_in_order() -> None:
    with connected(lambda c: c.sendall(b"".join(frame(TEXT, b"%d" % i) for i in range(500)))) as opened:
        assert [opened.receive() for _ in range(500)] == [b"%d" % i for i in range(500)]


def test_a_message_may_come_byte_by_byte() -> None:
    def serve(connection: socket) -> None:
        for byte in frame(TEXT, b"x" * 200) + frame(TEXT, b"next"):
            connection.sendall(bytes([byte]))
            gevent.sleep(0)

    with connected(serve) as opened:
        assert opened.receive() == b"x" * 200
        assert opened.receive() == b"next"


def test_a_message_in_fragments_is_put_together_around_control_frames() -> None:
    pieces = [
        frame(TEXT, b"one ", fin=False),
        frame(PONG),
        frame(CONTINUATION, b"two ", fin=False),
        frame(PING, b"?"),
        frame(CONTINUATION, b"three"),
    ]
    with connected(lambda c: c.sendall(b"".join(pieces))) as opened:
        assert opened.receive() == b"one two three"


def test_a_binary_message_and_an_empty_one_are_messages_too() -> None:
    with connected(lambda c: c.sendall(frame(BINARY, b"\x00\xff") + frame(TEXT))) as opened:
        assert opened.receive() == b"\x00\xff"
        assert opened.receive() == b""


def test_bad_utf8_is_left_to_the_reader_of_the_message() -> None:
    with connected(lambda c: c.sendall(frame(TEXT, b"\xff\xfe"))) as opened:
        assert opened.receive() == b"\xff\xfe"


def test_the_longest_message_is_taken_whole_or_in_pieces() -> None:
    longest = b"m" * MAX_MESSAGE_BYTES
    in_two = frame(TEXT, longest[:-1], fin=False) + frame(CONTINUATION, longest[-1:])
    with connected(lambda c: c.sendall(frame(TEXT, longest) + in_two)) as opened:
        assert opened.receive() == longest
        assert opened.receive() == longest


@pytest.mark.parametrize("announced", [MAX_MESSAGE_BYTES + 1, 1 << 32, (1 << 63) - 1, (1 << 64) - 1])
def test_a_longer_frame_ends_the_socket_before_its_bytes_are_awaited(announced: int) -> None:
    def serve(connection: socket) -> None:
        connection.sendall(frame(TEXT, length=announced))
        connection.recv(1)

    with connected(serve) as opened, within(2), pytest.raises(SocketLost):
        opened.receive()


def test_a_longer_message_in_fragments_ends_the_socket() -> None:
    def serve(connection: socket) -> None:
        connection.sendall(frame(TEXT, b"f" * 65536, fin=False))
        while True:
            connection.sendall(frame(CONTINUATION, b"f" * 65536, fin=False))

    with connected(serve) as opened, within(5), pytest.raises(SocketLost):
        opened.receive()


@pytest.mark.parametrize("piece", [frame(CONTINUATION, b"f", fin=False), frame(PING), frame(PONG, b"x")])
def test_a_flood_of_frames_that_are_no_message_ends_the_socket(piece: bytes) -> None:
    def serve(connection: socket) -> None:
        connection.sendall(frame(TEXT, b"f", fin=False))
        connection.sendall(piece * 2000)
        connection.recv(65536)

    with connected(serve) as opened, within(2), pytest.raises(SocketLost):
        opened.receive()


def test_many_pings_between_messages_are_fine() -> None:
    some = frame(PING) * 900 + frame(TEXT, b"m")

    def serve(connection: socket) -> None:
        connection.sendall(some * 3)
        while connection.recv(65536):
            continue

    with connected(serve) as opened:
        assert [opened.receive() for _ in range(3)] == [b"m"] * 3


# --- lost sockets ---


def reset(connection: socket) -> None:
    connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))


WAYS_TO_END = {
    "close frame": lambda c: c.sendall(frame(CLOSE, struct.pack("!H", 1001) + b"bye")),
    "close frame without a code": lambda c: c.sendall(frame(CLOSE)),
    "close frame with a bad code": lambda c: c.sendall(frame(CLOSE, struct.pack("!H", 1))),
    "close frame of one byte": lambda c: c.sendall(frame(CLOSE, b"x")),
    "end of stream": lambda c: c.shutdown(SHUT_WR),
    "reset": reset,
    "half a head": lambda c: c.sendall(b"\x81"),
    "half a payload": lambda c: c.sendall(frame(TEXT, b"half", length=100)),
    "reserved bits": lambda c: c.sendall(b"\xf1\x01x"),
    "unknown opcode": lambda c: c.sendall(frame(0x3, b"x")),
    "continuation of nothing": lambda c: c.sendall(frame(CONTINUATION, b"x")),
    "message inside a message": lambda c: c.sendall(frame(TEXT, b"a", fin=False) + frame(TEXT, b"b")),
    "fragmented ping": lambda c: c.sendall(frame(PING, b"x", fin=False)),
    "long ping": lambda c: c.sendall(frame(PING, b"x" * 126)),
    "http": lambda c: c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "noise": lambda c: c.sendall(bytes(range(256)) * 40),
}


@pytest.mark.parametrize("way", WAYS_TO_END)
def test_however_the_server_ends_it_the_socket_is_lost_and_nothing_else(way: str) -> None:
    with connected(WAYS_TO_END[way]) as opened, within(3):
        until_lost(opened.receive)


def test_a_lost_socket_stays_lost_and_can_be_closed_twice() -> None:
    with connected(reset) as opened:
        for _ in range(3):
            with pytest.raises(SocketLost):
                opened.receive()
        with pytest.raises(SocketLost):
            opened.send("x")
        opened.abort()
        opened.close()
        opened.close()


def test_abort_wakes_the_receiver() -> None:
    with connected(lambda c: c.recv(1)) as opened:
        gevent.spawn_later(0.01, opened.abort)
        with within(2), pytest.raises(SocketLost):
            opened.receive()


def fill(opened: NotificationSocket) -> None:
    """Send until not one more byte fits into the buffers of the connection."""
    wire = opened._socket.sock
    assert wire is not None
    wire.settimeout(0)
    for size in (1 << 20, 1 << 10, 1):
        with suppress(BlockingIOError):
            while True:
                wire.send(b"\x00" * size)
    wire.settimeout(None)


def test_abort_wakes_a_receiver_that_is_stuck_answering_a_close() -> None:
    """A server that has stopped reading blocks the answer to its close frame for ever."""

    def serve(connection: socket) -> None:
        while not filled.is_set():
            gevent.sleep(0.01)
        connection.sendall(frame(CLOSE, struct.pack("!H", 1000)))
        gevent.sleep(10)

    filled = Event()
    with connected(serve) as opened:
        fill(opened)
        filled.set()
        gevent.spawn_later(0.3, opened.abort)
        with within(3), pytest.raises(SocketLost):
            opened.receive()


# --- sending ---


def test_pings_of_the_server_are_answered_with_their_payload() -> None:
    answered = Event()
    pongs: list[tuple[int, bytes]] = []

    def serve(connection: socket) -> None:
        connection.sendall(frame(PING, b"are you there"))
        pongs.append(next_frame(connection))
        answered.set()
        connection.sendall(frame(TEXT, b"good"))

    with connected(serve) as opened:
        assert opened.receive() == b"good"
        assert answered.wait(2)
    assert pongs == [(PONG, b"are you there")]


def test_messages_of_several_greenlets_do_not_mix() -> None:
    got: list[tuple[int, bytes]] = []
    done = Event()

    def serve(connection: socket) -> None:
        got.extend(next_frame(connection) for _ in range(40))
        done.set()

    with connected(serve) as opened:
        texts = [str(i) * 5000 for i in range(40)]
        gevent.joinall([gevent.spawn(opened.send, text) for text in texts], raise_error=True)
        assert done.wait(3)
    assert sorted(got) == sorted((TEXT, text.encode()) for text in texts)


def test_sending_to_a_peer_that_does_not_read_is_bounded_and_ends_the_socket() -> None:
    with connected(idle) as opened, within(5):
        until_lost(lambda: opened.send("x" * 1_000_000))
        with pytest.raises(SocketLost):
            opened.receive()

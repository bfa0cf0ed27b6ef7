"""Are gunicorn's own lines written once each, as JSON, and without data of a request?"""

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest

from genesys_gateway.web.gunicorn_logs import GunicornLogger
from tests.doubles.log_lines import configured, logging_restored, written


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    with logging_restored():
        yield


def gunicorn_logger() -> GunicornLogger:
    return GunicornLogger(SimpleNamespace(loglevel="info", accesslog="-"))


def test_a_request_line_has_its_path_but_no_query_and_no_header() -> None:
    stream = configured()
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/customers/supportInteraction/0d9f\n" + "x" * 500,
        "QUERY_STRING": "token=canary",
        "RAW_URI": "/customers?token=canary",
        "HTTP_AUTHORIZATION": "Bearer canary",
        "HTTP_REFERER": "canary",
        "HTTP_USER_AGENT": "canary",
    }

    gunicorn_logger().access(SimpleNamespace(status="200 OK"), None, environ, timedelta(milliseconds=12.34))

    (line,) = written(stream)
    assert (line["event"], line["method"], line["status"], line["ms"]) == ("request", "GET", 200, 12.3)
    assert line["path"].startswith("/customers/supportInteraction/0d9f\n")
    assert len(line["path"]) == 200
    assert "canary" not in stream.getvalue()


@pytest.mark.parametrize(
    "message",
    [
        "Error handling request GET /livez?token=canary",
        "Invalid request from ip=127.0.0.1: Invalid HTTP Header: 'Authorization Bearer canary'",
        "Invalid request from ip=::1: Invalid HTTP request line: \"GET /'canary' HTTP/9\"",
        "Invalid request from ip=::1: Invalid chunk size: b'canary'",
        "Ignored premature client disconnection. No more data after: b'Authorization: Bearer canary\\r\\n'",
        'Ignored premature client disconnection. No more data after: b"X: \'\\r\\nAuthorization: canary"',
        "Ignored premature client disconnection. No more data after: bytearray(b'canary')",
    ],
)
def test_what_gunicorn_could_not_handle_is_logged_without_what_came(message: str) -> None:
    stream = configured()

    gunicorn_logger().warning(message)

    (line,) = written(stream)
    assert line["event"].startswith(message[:20])
    assert "canary" not in line["event"]


def test_what_gunicorn_quotes_of_its_own_is_kept() -> None:
    stream = configured()

    gunicorn_logger().error("Can't connect to ('127.0.0.1', 8080)")

    assert [line["event"] for line in written(stream)] == ["Can't connect to ('127.0.0.1', 8080)"]


def test_gunicorn_writes_each_of_its_lines_once() -> None:
    stream, logger = configured(), gunicorn_logger()
    logger.setup(SimpleNamespace(loglevel="info", accesslog="-"))

    logger.info("Booting worker with pid: %s", 7)

    assert [line["event"] for line in written(stream)] == ["Booting worker with pid: 7"]

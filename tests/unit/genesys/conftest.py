"""The mocked login host."""

from collections.abc import Iterator

import pytest
import requests_mock

from tests.doubles.http import MockedHttp


@pytest.fixture(name="login")
def _login() -> Iterator[requests_mock.Mocker]:
    with MockedHttp() as login:
        yield login

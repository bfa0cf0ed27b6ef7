"""The mocked login host."""

from collections.abc import Iterator

import pytest
import requests_mock


@pytest.fixture(name="login")
def _login() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as login:
        yield login

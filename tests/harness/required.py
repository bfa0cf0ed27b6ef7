"""What a machine need not have: without it a test is skipped, unless the environment says that it has to be there."""

import os
from typing import NoReturn

import pytest


def skip_or_fail(reason: str, required: str) -> NoReturn:
    """Skip the test that runs, or fail it where GATEWAY_TEST_REQUIRE_ and this word are set, as in CI.

    A skip there would hide that the test did not run.
    """
    if os.environ.get(f"GATEWAY_TEST_REQUIRE_{required}"):
        pytest.fail(reason)
    pytest.skip(reason)

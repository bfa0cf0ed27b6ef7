"""Acceptance stories with several instances on PostgreSQL, at their small scale: they need a server at the usual place.

They are apart from the other stories so that both may be played at the same time.
"""

from pathlib import Path

import pytest

from tests.flow.stories import hold_every_claim
from tests.harness import databases


@pytest.mark.skipif(not databases.reachable(), reason="no PostgreSQL at 127.0.0.1:5432")
@pytest.mark.parametrize("name", ["instance_killed", "instance_paused", "rolling_restart"])
def test_every_claim_of_the_story_holds(name: str, tmp_path: Path) -> None:
    hold_every_claim(name, tmp_path)

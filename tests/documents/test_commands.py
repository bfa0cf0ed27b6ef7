"""Every command in the documents says whether it is run here, and those that are do what their page says."""

import os
from pathlib import Path

import pytest

from tests.architecture.sources import name_of
from tests.documents import namespaces
from tests.documents.commands import STAGES as NAMES
from tests.documents.commands import blocks, by_page_and_stage, mistakes
from tests.documents.markdown import documents
from tests.documents.stages import STAGES
from tests.harness import databases

RUN = by_page_and_stage(blocks(documents()))


@pytest.mark.parametrize("page", documents(), ids=name_of)
def test_every_block_of_commands_is_marked(page: Path) -> None:
    assert mistakes(page) == [], "see docs/development.md, section Documents"


@pytest.mark.parametrize(("page", "stage"), RUN, ids=[f"{name_of(page)}-{stage}" for page, stage in RUN])
def test_the_commands_do_what_their_page_says(page: Path, stage: str, tmp_path: Path) -> None:
    if not namespaces.available():
        assert os.environ.get("GATEWAY_TEST_REQUIRE_NAMESPACES") != "1", "unshare makes no namespaces here"
        pytest.skip("unshare makes no namespaces here, in which the ports of the documents are free")
    if stage == "postgresql" and not databases.reachable():
        assert os.environ.get("GATEWAY_TEST_REQUIRE_POSTGRES") != "1", "PostgreSQL does not answer"
        pytest.skip("PostgreSQL does not answer")

    failure = namespaces.run(stage, RUN[page, stage], tmp_path)

    assert failure == ""


def test_a_mark_may_name_each_stage_and_nothing_else() -> None:
    assert set(STAGES) == set(NAMES)

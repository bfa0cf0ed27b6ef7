"""Every command in the documents says whether it is run here, and those that are do what their page says.

Pages wait for processes most of their time, so some are run at the same time.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest
from gevent import Greenlet
from gevent.pool import Pool

from tests.architecture.sources import name_of
from tests.documents import namespaces
from tests.documents.commands import STAGES as NAMES
from tests.documents.commands import blocks, by_page_and_stage, missing_programs, mistakes
from tests.documents.markdown import documents
from tests.documents.stages import STAGES
from tests.harness import databases
from tests.harness.required import skip_or_fail

RUN = by_page_and_stage(blocks(documents()))
_AT_A_TIME = 3

Runs = Mapping[tuple[Path, str], "Greenlet[..., str]"]


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The run of each page and stage that a chosen test is about."""
    name = test_the_commands_do_what_their_page_says.__name__
    chosen = {item.name for item in request.session.items if item.name.startswith(f"{name}[")}
    pool = Pool(_AT_A_TIME)
    return {
        (page, stage): pool.spawn(namespaces.run, stage, RUN[page, stage], tmp_path_factory.mktemp(stage))
        for page, stage in RUN
        if f"{name}[{name_of(page)}-{stage}]" in chosen and not any(absent(page, stage))
    }


def absent(page: Path, stage: str) -> tuple[str, str]:
    """What is missing here to run a page, and the variable that makes a test fail because of it; else nothing."""
    if not namespaces.available():
        return "unshare makes no namespaces here, in which the ports of the documents are free", "NAMESPACES"
    if stage == "postgresql" and not databases.reachable():
        return "PostgreSQL does not answer", "POSTGRES"
    missing = missing_programs(RUN[page, stage])
    return (f"not installed: {', '.join(missing)}", "NAMESPACES") if missing else ("", "")


@pytest.mark.parametrize("page", documents(), ids=name_of)
def test_every_block_of_commands_is_marked(page: Path) -> None:
    assert mistakes(page) == [], "see docs/development.md, section Documents"


@pytest.mark.parametrize(("page", "stage"), RUN, ids=[f"{name_of(page)}-{stage}" for page, stage in RUN])
def test_the_commands_do_what_their_page_says(page: Path, stage: str, runs: Runs) -> None:
    reason, required = absent(page, stage)
    if reason:
        skip_or_fail(reason, required)

    assert runs[page, stage].get() == ""


def test_a_mark_may_name_each_stage_and_nothing_else() -> None:
    assert set(STAGES) == set(NAMES)

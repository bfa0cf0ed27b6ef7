"""The functions that ADR 0028 names beside the model's transitions exist, and its scenarios are those of the model."""

import ast
import re

import pytest

from tests.architecture.sources import PACKAGE, PROJECT, tree_of
from tests.model.scenarios import ACCEPTED, KEPT, MISSING

DECISION = (PROJECT / "docs" / "adr" / "0028-a-model-of-the-protocol.md").read_text()
TABLE = DECISION.partition("\n## Which transition is which code\n")[2].partition("\n## ")[0]
#: (file, function) in each cell like: `maintenance/lease.py` `Lease.renew`, `Lease.enter`
NAMED = [
    (file, name)
    for file, names in re.findall(r"`([\w/]+\.py)` ((?:`[\w.]+`(?:, )?)+)", TABLE)
    for name in re.findall(r"`([\w.]+)`", names)
]


def functions_of(tree: ast.Module) -> set[str]:
    """The functions of a module, and the methods of its classes as ``Class.method``."""
    named = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            named |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
    return named


def test_the_table_names_code_for_each_transition() -> None:
    rows = [line for line in TABLE.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 15
    assert [row for row in rows if not re.search(r"`[\w/]+\.py` `[\w.]+`", row)] == []


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_function_that_is_named_beside_a_transition_exists(file: str, name: str) -> None:
    assert name in functions_of(tree_of(PACKAGE / file))


def test_each_scenario_that_keeps_its_promises_is_in_the_table_of_those_explored() -> None:
    explored = re.findall(r"^\| (\w+: .+?) \| [\d,]+ \|$", DECISION, re.MULTILINE)
    assert explored == [scenario.name for scenario in KEPT]


def test_no_two_scenarios_share_a_name() -> None:
    names = [scenario.name for scenario in (*KEPT, *ACCEPTED, *MISSING)]
    assert len(set(names)) == len(names)

"""Every kill point is reached somewhere in the code, and a scene of the chaos tests kills the process at it."""

import ast

from genesys_gateway.runtime.kill_points import KILL_POINTS
from tests.architecture.sources import service_files, tree_of
from tests.chaos.kill_points import SCENES


def reached() -> list[str]:
    """The names in all calls of ``reach``."""
    calls = [node for path in service_files() for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
    reaches = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "reach"]
    constants = [node for call in reaches for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant)]
    return [node.value for node in constants if isinstance(node.value, str)]


def test_every_place_is_reached_and_nothing_else_is() -> None:
    assert set(reached()) == set(KILL_POINTS)


def test_a_kill_is_played_at_every_place() -> None:
    assert {scene.point.partition(":")[0] for scene in SCENES} == set(KILL_POINTS)

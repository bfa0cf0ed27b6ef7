"""What every room keeps to: it opens with its sentence, is short, and does nothing behind everybody's back."""

import ast
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGE, name_of, package_files, service_files, tree_of

MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 40

#: Where greenlets and threads are begun: the crew, SQLite's own thread, and the simulator, which shares no code.
MAY_SPAWN = ("runtime/greenlets.py", "storage/sqlite.py", "storage/group_commit.py", "simulator/")
SPAWNING = {"spawn", "spawn_later", "spawn_raw", "start_new_thread", "Thread", "ThreadPool", "Greenlet"}


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How long it is, without its signature and docstring."""
    first = function.body[1 if ast.get_docstring(function) and len(function.body) > 1 else 0]
    return (function.end_lineno or 0) - first.lineno + 1


@pytest.mark.parametrize("path", package_files(), ids=name_of)
def test_a_room_opens_with_a_sentence(path: Path) -> None:
    first = (ast.get_docstring(tree_of(path)) or "").partition("\n\n")[0]
    assert first.endswith((".", "?", "`", '"')), "the file does not open with what it is for"


def test_no_file_is_too_long() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in service_files()}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_function_is_too_long() -> None:
    long = [
        f"{name_of(path)}: {function.name}"
        for path in service_files()
        for function in functions(path)
        if lines_of(function) > MOST_LINES_OF_A_FUNCTION
    ]
    assert long == []


def test_greenlets_and_threads_are_begun_by_a_crew_only() -> None:
    bare = [
        f"{name_of(path)}:{node.lineno}"
        for path in service_files()
        if not str(path).startswith(tuple(str(PACKAGE / allowed) for allowed in MAY_SPAWN))
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and _is_bare_spawn(node.func)
    ]
    assert bare == []


def test_nobody_prints() -> None:
    printing = [
        f"{name_of(path)}:{node.lineno}"
        for path in service_files()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []


def _is_bare_spawn(called: ast.expr) -> bool:
    """``gevent.spawn(…)``, ``spawn(…)``, ``Thread(…)``; not ``crew.spawn(…)``."""
    if isinstance(called, ast.Name):
        return called.id in SPAWNING
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        return called.attr in SPAWNING and called.value.id in ("gevent", "threading", "Greenlet", "_thread")
    return False

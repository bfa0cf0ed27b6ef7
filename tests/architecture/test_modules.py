"""Limits of every module: an opening sentence, its length, few suppressions, no prints, and no bare greenlets."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import (
    MOST_LINES,
    MOST_LINES_OF_A_FUNCTION,
    MOST_TEST_LINES,
    PACKAGE,
    files_of_tests,
    functions_of,
    lines_of,
    name_of,
    package_files,
    service_files,
    too_long,
    tree_of,
)

#: Maximum number of suppressions of a linter or of mypy outside the tests.
MOST_SUPPRESSIONS = 25

#: A suppression in a comment, and what follows it on the line.
SUPPRESSION = re.compile(
    r"#\s*(?:type: ignore(?:\[[^]]*\])?|(?:ruff: )?noqa(?::[ ]?[A-Z]+\d+(?:,[ ]?[A-Z]+\d+)*)?)(.*)"
)
#: A reason has at least two words.
REASON = re.compile(r"\w+\W+\w+")
#: The former word for an invariant; written so that this file does not contain it.
FORMER_WORD = re.compile(r"\bLaw[:]")

#: Where greenlets and threads may be started: task groups, the threads of the log and of SQLite, and the simulator,
#: which shares no code.
MAY_SPAWN = (
    *("runtime/greenlets.py", "runtime/log_writer.py"),
    *("storage/sqlite.py", "storage/group_commit.py"),
    "simulator/",
)
SPAWNING = {"spawn", "spawn_later", "spawn_raw", "start_new_thread", "Thread", "ThreadPool", "Greenlet"}


def long_functions(paths: Iterable[Path]) -> list[str]:
    return [
        f"{name_of(path)}: {function.name}"
        for path in paths
        for function in functions_of(path)
        if lines_of(function) > MOST_LINES_OF_A_FUNCTION
    ]


def suppressions(text: str) -> Iterator[tuple[int, str]]:
    """The line of each suppression in a source text, and the reason that follows it."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and (found := SUPPRESSION.search(token.string)):
            yield token.start[0], found.group(1)


@pytest.mark.parametrize("path", package_files(), ids=name_of)
def test_a_module_opens_with_a_sentence(path: Path) -> None:
    first = (ast.get_docstring(tree_of(path)) or "").partition("\n\n")[0]
    assert first.endswith((".", "?", "`", '"')), "the file does not open with what it is for"


def test_no_file_is_too_long() -> None:
    assert too_long(service_files(), MOST_LINES) == {}


def test_no_file_of_the_tests_is_too_long() -> None:
    assert too_long(files_of_tests(), MOST_TEST_LINES) == {}


def test_no_function_is_too_long() -> None:
    assert long_functions(service_files()) == []


def test_suppressions_are_few() -> None:
    found = [f"{name_of(path)}:{line}" for path in service_files() for line, _ in suppressions(path.read_text())]
    assert len(found) <= MOST_SUPPRESSIONS, "\n".join(found)


def test_each_suppression_gives_its_reason() -> None:
    bare = [
        f"{name_of(path)}:{line}"
        for path in service_files()
        for line, reason in suppressions(path.read_text())
        if not REASON.search(reason)
    ]
    assert bare == []


def test_the_search_for_suppressions_would_find_them() -> None:
    samples = {
        "x = 1  # noqa": "",
        "x = 1  # noqa: S101, S102": "",
        "x = 1  # type: ignore": "",
        "x = 1  # type: ignore[misc,attr-defined] # no types": " # no types",
        "x = 1  # noqa: S101 - for mypy": " - for mypy",
        "# ruff: noqa: RUF009 - once": " - once",
    }
    assert {sample: [reason for _, reason in suppressions(sample)] for sample in samples} == {
        sample: [reason] for sample, reason in samples.items()
    }
    assert list(suppressions("x = '# noqa'")) == []


def test_the_former_word_for_an_invariant_is_gone() -> None:
    paths = [*service_files(), *files_of_tests()]
    assert [name_of(path) for path in paths if FORMER_WORD.search(path.read_text())] == []


def test_greenlets_and_threads_are_started_by_a_task_group_only() -> None:
    bare = [
        f"{name_of(path)}:{node.lineno}"
        for path in service_files()
        if not str(path).startswith(tuple(str(PACKAGE / allowed) for allowed in MAY_SPAWN))
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and _is_bare_spawn(node.func)
    ]
    assert bare == []


def test_nothing_prints() -> None:
    printing = [
        f"{name_of(path)}:{node.lineno}"
        for path in service_files()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []


def _is_bare_spawn(called: ast.expr) -> bool:
    """``gevent.spawn(…)``, ``spawn(…)``, ``Thread(…)``; not ``tasks.spawn(…)``."""
    if isinstance(called, ast.Name):
        return called.id in SPAWNING
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        return called.attr in SPAWNING and called.value.id in ("gevent", "threading", "Greenlet", "_thread")
    return False

"""The project's Python files, parsed."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PACKAGE = PROJECT / "genesys_gateway"
TESTS = PROJECT / "tests"

#: The modules beside the package that make it a service.
ROOT_FILES = ("app.py", "wsgi.py", "gunicorn.conf.py")

#: Maximum number of lines of a file of the package, and of the tests.
MOST_LINES, MOST_TEST_LINES = 400, 600
#: Maximum number of lines of a function, without signature and docstring.
MOST_LINES_OF_A_FUNCTION = 40

Function = ast.FunctionDef | ast.AsyncFunctionDef


def package_files() -> list[Path]:
    """Every module of the package, migrations included."""
    return sorted(PACKAGE.rglob("*.py"))


def service_files() -> list[Path]:
    """The package and the modules that make it a service."""
    return [*package_files(), *(PROJECT / name for name in ROOT_FILES)]


def files_of_tests() -> list[Path]:
    """Every Python file of the tests, harness and tools included."""
    return sorted(TESTS.rglob("*.py"))


def name_of(path: Path) -> str:
    """The name of a file in messages: its path in the project."""
    return str(path.relative_to(PROJECT))


def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(), name_of(path))


def imported_by(path: Path) -> Iterator[str]:
    """The full names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def functions_of(path: Path) -> list[Function]:
    """Every function of a file, nested ones included."""
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, Function)]


def lines_of(function: Function) -> int:
    """The number of lines of a function, without its signature and docstring."""
    first = function.body[1 if ast.get_docstring(function) and len(function.body) > 1 else 0]
    return (function.end_lineno or 0) - first.lineno + 1


def too_long(paths: Iterable[Path], most: int) -> dict[str, int]:
    """The files with more lines than that, each with its number."""
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in paths}
    return {name: lines for name, lines in lengths.items() if lines > most}

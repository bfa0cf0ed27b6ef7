"""Output of the commands: lines or JSON on stdout, errors on stderr, and one of three exit codes.

Invariant: no text from the database can move the cursor of the terminal or change its colours.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence

import click

from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.errors import GatewayError
from genesys_gateway.runtime.log_format import escaped
from genesys_gateway.storage.operator_session import OperatorSession

DONE, NOT_DONE, UNUSABLE = 0, 1, 2


def run_at_database(database_url: str, command: Callable[[OperatorSession], int], *, any_version: bool = False) -> int:
    """Run a command at the database, with or without a running gateway, and return its exit code.

    Args:
        any_version: The command works with the tables of any version.
    """
    try:
        with OperatorSession(database_url, SystemClock(), any_version=any_version) as session:
            return command(session)
    except GatewayError as error:
        return print_error(str(error))


def print_error(*lines: str, code: int = UNUSABLE) -> int:
    """Print lines on stderr and return ``code``."""
    for line in lines:
        click.echo(escaped(line), err=True)
    return code


def print_lines(*lines: str) -> None:
    """Print lines on stdout."""
    for line in lines:
        click.echo(escaped(line))


def print_json(value: object) -> None:
    """Print one JSON value on stdout: indented in a terminal, else on one line."""
    click.echo(json.dumps(value, indent=2 if sys.stdout.isatty() else None))


def counted(count: int, word: str) -> str:
    """``1 record``, ``2 records``."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines in columns, each column as wide as its widest cell."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def indented(pairs: Mapping[str, object]) -> list[str]:
    """One indented line for each name and value."""
    return [f"  {name}: {_display(value)}" for name, value in pairs.items()]


def _display(value: object) -> str:
    match value:
        case None:
            return "-"
        case True:
            return "yes"
        case False:
            return "no"
        case _:
            return str(value)

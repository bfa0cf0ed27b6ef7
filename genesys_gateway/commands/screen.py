"""How commands speak: lines or JSON on stdout, what went wrong on stderr, and one of three exit codes.

Law: whatever stands in the database can't move the cursor or colour the terminal of the person who looks at it.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeGuard

import click

from genesys_gateway.runtime.clock import SystemClock, isoformat
from genesys_gateway.runtime.errors import GatewayError
from genesys_gateway.runtime.logs import escaped
from genesys_gateway.storage.operator_session import OperatorSession

DONE, NOT_DONE, UNUSABLE = 0, 1, 2


def at_the_database(database_url: str, command: Callable[[OperatorSession], int]) -> int:
    """Run a command at the database, beside a gateway or without one; the code to exit with."""
    try:
        with OperatorSession(database_url, SystemClock()) as session:
            return command(session)
    except GatewayError as error:
        return complain(str(error))


def complain(*lines: str, code: int = UNUSABLE) -> int:
    """Say what is wrong on stderr; gives the code back."""
    for line in lines:
        click.echo(escaped(line), err=True)
    return code


def say(*lines: str) -> None:
    """Lines on stdout."""
    for line in lines:
        click.echo(escaped(line))


def show_json(value: object) -> None:
    """One JSON value on stdout."""
    click.echo(json.dumps(value, indent=2 if sys.stdout.isatty() else None))


def counted(count: int, word: str) -> str:
    """``1 record``, ``2 records``."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def said_in_json(values: Mapping[str, object]) -> dict[str, object]:
    """As our HTTP answers say it: names in camel case, moments (epoch milliseconds) in ISO 8601."""
    return {_camel(name): isoformat(v) if _is_moment(v, name) else v for name, v in values.items()}


def _is_moment(value: object, name: str) -> TypeGuard[int]:
    return name.rpartition("_")[2] in ("now", "at", "since", "until", "time") and type(value) is int


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines in columns."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def indented(pairs: Mapping[str, object]) -> list[str]:
    """A line for each name and value."""
    return [f"  {name}: {_in_words(value)}" for name, value in pairs.items()]


def _in_words(value: object) -> str:
    match value:
        case None:
            return "-"
        case True:
            return "yes"
        case False:
            return "no"
        case _:
            return str(value)

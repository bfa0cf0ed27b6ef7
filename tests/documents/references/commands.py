"""Writes docs/commands.md: every command with its arguments and options, from the help that it prints itself."""

import argparse
from collections.abc import Iterator
from inspect import cleandoc

import click

from genesys_gateway.commands.cli import main
from genesys_gateway.simulator.cli import parsers
from tests.documents.references.layout import cell, prose, table

_HEAD = """# Commands

`genesys-gateway COMMAND`, or `python -m genesys_gateway COMMAND` in a checkout. This page is made from the code by
`make references`; do not edit it. `--help` behind a command prints the same.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | nothing was found, or not everything was done; the command says what |
| 2 | wrong usage, a wrong setting, or the database can't be used: missing, unreachable, of another version |

Errors are written to stderr; with `--json`, stdout is one JSON value. `run` and `check` need the gateway's whole
environment, see [settings](settings.md). `simulator` and `demo` need none, `status` needs a gateway that runs, and all
others need only `DATABASE_URL`; they can run beside the gateway.

"""


def page() -> str:
    """The page as Markdown."""
    sections: dict[str, tuple[str, str]] = {}
    for name, command in _all(main, ""):
        if name == "simulator":
            sections |= {each: (_line(parser), _of_parser(parser)) for each, parser in parsers().items()}
        else:
            sections[name] = (_line_of(command), _of_click(name, command))
    rows = ([f"[`{name}`](#{name.replace(' ', '-')})", cell(line)] for name, (line, _) in sections.items())
    return (
        _HEAD
        + table("command", "does", rows=rows)
        + "".join(f"\n## {name}\n\n{text}" for name, (_, text) in sections.items())
    )


def _all(group: click.Group, before: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _all(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _line_of(command: click.Command) -> str:
    return cleandoc(command.help or "").split("\n\n")[0]


def _line(parser: argparse.ArgumentParser) -> str:
    return parser.description or ""


def _of_click(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    text = f"`genesys-gateway {name} {usage}`\n\n{prose(cleandoc(command.help or ''))}\n"
    records = [each.get_help_record(context) for each in command.params if isinstance(each, click.Option)]
    return text + _options([(record[0], record[1]) for record in records if record])


def _of_parser(parser: argparse.ArgumentParser) -> str:
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    text = f"`genesys-gateway {usage}`\n\n{parser.description}\n"
    options: list[tuple[str, str]] = []
    for action in parser._actions:
        if action.help and action.dest != "help":
            value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
            options.append((", ".join(action.option_strings) + value, action.help))
    return text + _options(options)


def _options(options: list[tuple[str, str]]) -> str:
    rows = ([f"`{name}`", cell(meaning)] for name, meaning in options)
    return f"\n{table('option', 'meaning', rows=rows)}" if options else ""

"""What the documents and the files for deployment name is there: settings, commands, options, targets of make."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from genesys_gateway.commands.cli import main
from genesys_gateway.settings import Settings, variable
from genesys_gateway.settings.meanings import REGION
from genesys_gateway.settings.secret import Secret
from genesys_gateway.simulator.cli import parsers
from tests.architecture.sources import PROJECT, name_of
from tests.documents.commands import SHELL
from tests.documents.markdown import documents, fences, spans

#: What looks like a name of a setting; not the second half of a longer name.
_SETTING = re.compile(
    r"(?<![\w$-])\$?\{?((?:GENESYS|GATEWAY|COMMUNICATION_HISTORY|DATABASE)_[A-Z][A-Z_]*[A-Z])\b(?![*…])"
)
#: Beginnings of variables that only tests set.
_OF_TESTS = ("GATEWAY_TEST_", "GATEWAY_KILL_POINT")
_MAKEFILE = (PROJECT / "Makefile").read_text()
_COMMAND = re.compile(r"(?:^|[|&;(] *)(?:genesys-gateway|[\w./]*python -m genesys_gateway)(?: ([^|&;)]*))?")


def deployed() -> list[Path]:
    """The files for deployment, and all else that an operator copies."""
    return [
        *(path for path in sorted((PROJECT / "deploy").rglob("*")) if path.is_file() and path.suffix != ".png"),
        *(PROJECT / name for name in ("Dockerfile", "Makefile") if (PROJECT / name).exists()),
    ]


def known_settings() -> set[str]:
    """The names of all settings, and of files that hold secrets."""
    names = {REGION}
    for one in fields(Settings):
        if "read" in one.metadata:
            names.add(variable(one.name))
            if one.metadata["kind"] is Secret or one.name == "database_url":
                names.add(f"{variable(one.name)}_FILE")
    return names


@pytest.mark.parametrize("path", [*documents(), *deployed()], ids=name_of)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    named = set(_SETTING.findall(path.read_text()))

    assert {name for name in named if not name.startswith(_OF_TESTS)} - known_settings() == set()


def words_in_code(page: Path) -> Iterator[tuple[int, str]]:
    """Words that may be a command: each span in code, and each line of a block of commands."""
    for span in spans(page):
        yield span.line, " ".join(span.text.split())
    for fence in fences(page):
        if fence.language == SHELL:
            for number, line in enumerate(fence.text.splitlines(), fence.line + 1):
                yield number, line.partition(" #")[0].strip()


@pytest.mark.parametrize("page", documents(), ids=name_of)
def test_every_target_of_make_that_is_named_exists(page: Path) -> None:
    for line, words in words_in_code(page):
        for target in re.findall(r"^make ([a-z][\w-]*)", words):
            assert re.search(rf"^(?:\S+ )*{target}(?: \S+)*:", _MAKEFILE, re.MULTILINE), f"line {line}: {words}"


@pytest.mark.parametrize("page", documents(), ids=name_of)
def test_every_command_that_is_named_exists_with_its_options(page: Path) -> None:
    for line, words in words_in_code(page):
        for behind in _COMMAND.findall(words):
            assert _wrong(behind.split()) == "", f"line {line}: {words}"


def _wrong(words: list[str]) -> str:
    """What is wrong with the words behind ``genesys-gateway``, or nothing."""
    command: click.Command = main
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        name = words.pop(0)
        if name not in command.commands:
            return f"there is no command {name}"
        command = command.commands[name]
    if command.name == "simulator":
        name = f"simulator {words[0]}" if words and f"simulator {words[0]}" in parsers() else "simulator"
        options = {option for action in parsers()[name]._actions for option in action.option_strings}
    else:
        options = {"--help", "-h", "--version", *(option for one in command.params for option in one.opts)}
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    return ", ".join(sorted(given - options))


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        ("dead-letters requeue --all --json", ""),
        ("simulator verify --wait 30", ""),
        ("simulator --wait 30", "--wait"),
        ("dead-letters requeue --everything", "--everything"),
        ("chek --json", "there is no command chek"),
    ],
)
def test_a_command_that_does_not_exist_is_found(words: str, mistake: str) -> None:
    assert _wrong(words.split()) == mistake


def test_a_setting_that_does_not_exist_is_found() -> None:
    found = _SETTING.findall("`GATEWAY_BNID=1` ${DATABASE_URL_FILE} GENESYS_SAML_* GATEWAY_OIDC_… X_GATEWAY_Y")

    assert found == ["GATEWAY_BNID", "DATABASE_URL_FILE"]

"""The commands of the documents, and what the mark before each block of them says: run here, or not run and why."""

import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from tests.architecture.sources import PROJECT
from tests.documents.markdown import Fence, documents, fences

#: The language of a block of commands.
SHELL = "sh"
#: What else a block may be. A block without a language could hide commands.
OTHERS = {
    "text",
    "json",
    "yaml",
    "ini",
    "toml",
    "nginx",
    "haproxy",
    "python",
    "sql",
    "dockerfile",
    "http",
    "mermaid",
}
STAGES = ("nothing", "checkout", "simulated", "postgresql")

_RUN = re.compile(rf"run: (?P<stage>{'|'.join(STAGES)})(?P<background>, background)?(?:, exit (?P<code>\d+))?")
_BY = re.compile(r"run by: (?P<test>tests/\S+\.py)(?:, (?P<how>\S.*\S))?", re.DOTALL)
_NOT_RUN = re.compile(r"not run: (?P<reason>\S.*\S)", re.DOTALL)
_PROGRAMS = (
    "make curl genesys-gateway python gunicorn psql pip pipx docker podman kubectl systemctl git export bash sudo"
)
#: What a developer's machine need not have.
_OF_OTHERS = "curl jq openssl psql pg_dump pg_restore createdb dropdb promtool nginx haproxy"
#: A line that begins like a command.
_LIKE_A_COMMAND = re.compile(rf"^\s*(?:\$ |(?:{_PROGRAMS.replace(' ', '|')}) )", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of commands with its mark."""

    fence: Fence
    #: where it is run; None if it is not
    stage: str | None = None
    #: whether it is a server that goes on until the end of its page
    background: bool = False
    code: int = 0
    #: path of another test that reads the page and runs it
    test: str = ""
    #: why it is not run, or how the other test runs it
    reason: str = ""

    @property
    def said(self) -> str:
        """What is done with it."""
        if self.stage:
            return f"run ({self.stage})"
        if self.test:
            return ", ".join(filter(None, (f"run by {self.test}", self.reason)))
        return f"not run: {self.reason}"

    @property
    def commands(self) -> list[str]:
        """Its commands, one each, without comments; a command over several lines is one."""
        return _commands(self.fence.text)


def blocks(pages: Iterable[Path]) -> list[Block]:
    """Every block of commands whose mark is right."""
    return [block for page in pages for fence in fences(page) if (block := _block(fence)) is not None]


def mistakes(page: Path) -> list[str]:
    """What is wrong with the blocks of a document, each with its place."""
    return [f"{fence.place}: {wrong}" for fence in fences(page) if (wrong := _mistake(fence))]


def missing_programs(found: Iterable[Block]) -> list[str]:
    """The programs that some blocks begin a command with and that are not installed."""
    text = "\n".join(block.fence.text for block in found)
    used = set(re.findall(rf"(?:^|[|;&(] *)({_OF_OTHERS.replace(' ', '|')})\b", text, re.MULTILINE))
    return sorted(program for program in used if shutil.which(program) is None)


def by_page_and_stage(found: Iterable[Block]) -> Mapping[tuple[Path, str], list[Block]]:
    """The blocks that are run, in order, by page and stage: those of one go into the same shell."""
    grouped: dict[tuple[Path, str], list[Block]] = defaultdict(list)
    for block in found:
        if block.stage is not None:
            grouped[block.fence.page, block.stage].append(block)
    return grouped


def listing() -> str:
    """Each command of each document with what is done with it, and the numbers of both kinds."""
    lines: list[str] = []
    counts = {"run (": 0, "run b": 0, "not r": 0}
    for block in blocks(documents()):
        for command in block.commands:
            counts[block.said[:5]] += 1
            lines.append(f"{block.fence.place}  {block.said}\n{indent(command, '    ')}\n")
    here, elsewhere, excused = counts.values()
    return f"{''.join(lines)}\n{here} commands are run, {elsewhere} by tests of their own, {excused} are not run.\n"


def _block(fence: Fence) -> Block | None:
    if fence.language != SHELL:
        return None
    if run := _RUN.fullmatch(fence.comment):
        code = int(run["code"] or 0)
        return Block(fence=fence, stage=run["stage"], background=bool(run["background"]), code=code)
    if other := _BY.fullmatch(fence.comment):
        return Block(fence=fence, test=other["test"], reason=" ".join((other["how"] or "").split()))
    if excuse := _NOT_RUN.fullmatch(fence.comment):
        return Block(fence=fence, reason=" ".join(excuse["reason"].split()))
    return None


def _mistake(fence: Fence) -> str:
    if fence.language == SHELL:
        block = _block(fence)
        if block is None:
            return f"commands need the comment 'run: STAGE' or 'not run: REASON' before them, not {fence.comment!r}"
        if block.test and not _reads(PROJECT / block.test, fence.page):
            return f"{block.test} is not there, or does not read this page"
        if re.search(r"^\s*\$ ", fence.text, re.MULTILINE):
            return "commands stand without '$ ', so that they can be copied; what they print goes into a block of text"
        return ""
    if fence.language not in OTHERS:
        return f"give it a language: {SHELL}, or one of {', '.join(sorted(OTHERS))}; it has {fence.language!r}"
    if fence.language == "text" and (like := _LIKE_A_COMMAND.search(fence.text)):
        return f"{like[0].strip()!r} begins a command, which belongs into a block of {SHELL}"
    return ""


def _reads(test: Path, page: Path) -> bool:
    return test.is_file() and page.name in test.read_text()


def _commands(text: str) -> list[str]:
    """Split at the ends of lines at which the shell would begin a new command."""
    commands: list[str] = []
    begun = ""
    for line in text.splitlines():
        if begun or (line.strip() and not line.lstrip().startswith("#")):
            begun += f"{line}\n"
        if begun and _whole(begun):
            commands.append(begun.rstrip("\n"))
            begun = ""
    return [*commands, begun.rstrip("\n")] if begun else commands


def _whole(command: str) -> bool:
    """Whether the shell would expect nothing more."""
    if command.endswith("\\\n"):
        return False
    checked = subprocess.run(("bash", "-n"), input=command, capture_output=True, text=True, check=False)
    return not checked.stderr

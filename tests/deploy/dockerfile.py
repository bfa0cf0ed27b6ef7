"""Reads the Dockerfile and .dockerignore as an engine does, as far as these two files use the language."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]

#: Folders of a developer's checkout that git does not know either.
_NOT_OURS = {".git", ".venv", "build", "mutants", "var"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction: ``COPY``, for example, and all that follows it, in one line."""

    name: str
    rest: str

    @property
    def exec_form(self) -> list[str]:
        """The words of a command that is started without a shell. Raises ValueError for one that needs a shell."""
        return [str(word) for word in json.loads(self.rest)]


def instructions(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile, in order."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [
        Instruction(name=name.upper(), rest=rest.strip())
        for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())
    ]


def stages(found: Sequence[Instruction]) -> list[list[Instruction]]:
    """The instructions of each stage; what stands before the first FROM is left out."""
    result: list[list[Instruction]] = []
    for instruction in found:
        if instruction.name == "FROM":
            result.append([])
        if result:
            result[-1].append(instruction)
    return result


def variables(stage: Sequence[Instruction], name: str) -> Mapping[str, str]:
    """What the ENV, LABEL or ARG instructions of a stage set."""
    pairs = re.findall(r'([\w.]+)=("[^"]*"|\S*)', " ".join(one.rest for one in stage if one.name == name))
    return {key: value.strip('"') for key, value in pairs}


def sources(stage: Sequence[Instruction]) -> list[str]:
    """What a stage copies from the context."""
    copies = [one.rest.split() for one in stage if one.name == "COPY" and "--from=" not in one.rest]
    return [word for words in copies for word in words[:-1] if not word.startswith("--")]


class Ignored:
    """The rules of a .dockerignore: the last line that fits a file, or a folder that it is in, decides."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        self._rules = [_rule(line) for line in lines if line and not line.startswith("#")]

    def sends(self, path: str) -> bool:
        """Whether the builder gets that file."""
        parts = path.split("/")
        names = ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]
        decisions = [kept for pattern, kept in self._rules if any(pattern.fullmatch(name) for name in names)]
        return not decisions or decisions[-1]


def _rule(line: str) -> tuple[re.Pattern[str], bool]:
    kept = line.startswith("!")
    words = re.split(r"(\*\*/|\*)", line.removeprefix("!"))
    meaning = {"**/": "(?:.*/)?", "*": "[^/]*"}
    return re.compile("".join(meaning.get(word, re.escape(word)) for word in words)), kept


def files() -> Iterator[str]:
    """Every file of the project, with those that git does not know, without what tools keep for themselves."""
    for folder, folders, names in os.walk(PROJECT):
        folders[:] = [name for name in folders if name not in _NOT_OURS and not name.endswith("_cache")]
        yield from (str((Path(folder) / name).relative_to(PROJECT)) for name in names)


def bill(path: Path) -> dict[str, Any]:
    """A bill of materials in CycloneDX."""
    return dict(json.loads(path.read_text()))


def locked(list_of_packages: str) -> dict[str, str]:
    """Names, spelt alike, and versions in a list of packages with hashes."""
    pinned = re.findall(r"^([\w.-]+)==(\S+)", (PROJECT / list_of_packages).read_text(), re.MULTILINE)
    return {spelt_alike(name): version for name, version in pinned}


def spelt_alike(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()

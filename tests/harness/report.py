"""What a story says while it is played: what it did, what was measured, what is claimed and whether it held."""

import sys
import time
from dataclasses import dataclass, field
from enum import Enum


class Verdict(Enum):
    """Of a claim."""

    PASS = "PASS"
    FAIL = "FAIL"
    #: this machine can't show it
    SKIP = "SKIP"


_COLOURS = {Verdict.PASS: "\033[32m", Verdict.FAIL: "\033[31m", Verdict.SKIP: "\033[33m"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One sentence and what became of it."""

    text: str
    verdict: Verdict
    #: what was measured
    figure: str


@dataclass(slots=True)
class Report:
    """One story's page."""

    name: str
    claims: list[Claim] = field(default_factory=list)
    seconds: float = 0.0
    _begun: float = field(default_factory=time.monotonic)

    def did(self, text: str) -> None:
        """Tell what was done."""
        _write(f"  {time.monotonic() - self._begun:7.1f} s  {text}")

    def claim(self, text: str, held: bool, figure: object = "") -> bool:
        """A promise, whether it was kept, and the figure that shows it."""
        return self._add(text, Verdict.PASS if held else Verdict.FAIL, str(figure)) is Verdict.PASS

    def skip(self, text: str, why: str) -> None:
        """A promise that can't be shown here."""
        self._add(text, Verdict.SKIP, why)

    def end(self) -> bool:
        """Close the page; whether everything held."""
        self.seconds = time.monotonic() - self._begun
        if not self.claims:
            self.claim("the story claims something", held=False)
        return all(claim.verdict is not Verdict.FAIL for claim in self.claims)

    def _add(self, text: str, verdict: Verdict, figure: str) -> Verdict:
        self.claims.append(Claim(text=text, verdict=verdict, figure=figure))
        word = f"{_COLOURS[verdict]}{verdict.value}\033[0m" if sys.stdout.isatty() else verdict.value
        _write(f"  {word}  {text}{': ' if figure else ''}{figure}")
        return verdict


def heading(text: str) -> None:
    """A new story begins."""
    _write(f"\n{text}")


def table(reports: list[Report]) -> str:
    """All claims of all stories."""
    width = max((len(report.name) for report in reports), default=0)
    lines = ["", f"{'story':<{width}}  verdict  claim"]
    for report in reports:
        for claim in report.claims:
            figure = f": {claim.figure}" if claim.figure else ""
            lines.append(f"{report.name:<{width}}  {claim.verdict.value}     {claim.text}{figure}")
    kept = sum(claim.verdict is Verdict.PASS for report in reports for claim in report.claims)
    total = sum(len(report.claims) for report in reports)
    lines.append(f"{kept} of {total} claims held, {sum(report.seconds for report in reports):.0f} s")
    return "\n".join(lines) + "\n"


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()

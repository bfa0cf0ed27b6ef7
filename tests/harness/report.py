"""The report of one run: what was done, what was measured, which claims were made and whether they held."""

import sys
import time
from dataclasses import dataclass, field
from enum import Enum


class Verdict(Enum):
    """Whether a claim held."""

    PASS = "PASS"
    FAIL = "FAIL"
    #: this machine can't show it
    SKIP = "SKIP"


_COLOURS = {Verdict.PASS: "\033[32m", Verdict.FAIL: "\033[31m", Verdict.SKIP: "\033[33m"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A sentence that holds or not."""

    text: str
    verdict: Verdict
    #: what was measured
    figure: str


@dataclass(slots=True)
class Report:
    """Notes and claims of one story or run; each is printed at once."""

    name: str
    claims: list[Claim] = field(default_factory=list)
    seconds: float = 0.0
    _begun: float = field(default_factory=time.monotonic)

    @property
    def held(self) -> bool:
        """Whether there are claims and none has failed."""
        return bool(self.claims) and not self.failed

    @property
    def failed(self) -> list[Claim]:
        """The claims that did not hold."""
        return [claim for claim in self.claims if claim.verdict is Verdict.FAIL]

    def note(self, text: str) -> None:
        """Print what was done or measured."""
        _write(f"  {time.monotonic() - self._begun:7.1f} s  {text}")

    def claim(self, text: str, held: bool, figure: object = "") -> bool:
        """Add a claim with the figure that shows it; returns whether it held."""
        return self._add(text, Verdict.PASS if held else Verdict.FAIL, str(figure)) is Verdict.PASS

    def skip(self, text: str, why: str) -> None:
        """Add a claim that can't be shown here."""
        self._add(text, Verdict.SKIP, why)

    def end(self) -> bool:
        """Stop the clock; returns whether everything held. A report without claims does not hold."""
        self.seconds = time.monotonic() - self._begun
        if not self.claims:
            self.claim("the story claims something", held=False)
        return self.held

    def _add(self, text: str, verdict: Verdict, figure: str) -> Verdict:
        self.claims.append(Claim(text=text, verdict=verdict, figure=figure))
        word = f"{_COLOURS[verdict]}{verdict.value}\033[0m" if sys.stdout.isatty() else verdict.value
        _write(f"  {word}  {text}{': ' if figure else ''}{figure}")
        return verdict


def heading(text: str) -> None:
    """Print the heading of a story or run."""
    _write(f"\n{text}")


def table(reports: list[Report]) -> str:
    """All claims of all reports, as a table."""
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

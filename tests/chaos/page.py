"""The report of a run in Markdown: claims, figures, and the number of each fault; the picture is a file beside it."""

from collections import Counter
from collections.abc import Mapping, Sequence

from tests.chaos.script import Planned
from tests.harness.report import Report


def write(report: Report, plan: Sequence[Planned], figures: Mapping[str, object], picture: str, again: str) -> str:
    """Return the page.

    Args:
        again: The command that repeats the run.
    """
    faults = Counter((one.party, one.fault.name) for one in plan)
    lines = [
        f"# Chaos: {'all claims held' if report.end() else 'a claim did not hold'}",
        "",
        f"Once more: `{again}`",
        "",
        f"![What waited, and what was broken]({picture})",
        "",
        "| claim | held | figure |",
        "| --- | --- | --- |",
        *(f"| {one.text} | {one.verdict.value} | {one.figure} |" for one in report.claims),
        "",
        "| figure | |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in figures.items()),
        "",
        "| struck | fault | times |",
        "| --- | --- | --- |",
        *(f"| {party} | {name} | {times} |" for (party, name), times in sorted(faults.items())),
        "",
    ]
    return "\n".join(lines)

"""``check``: ticks and crosses before going live."""

import os
from collections.abc import Iterable
from dataclasses import asdict

from genesys_gateway.check import Finding, Options, State, inspect
from genesys_gateway.commands.screen import DONE, NOT_DONE, say, show_json

_MARKS = {State.GOOD: "✓", State.WRONG: "✗", State.SKIPPED: "-"}


def check(options: Options, *, as_json: bool) -> int:
    """Look at everything; the code says whether there is no cross."""
    findings = inspect(os.environ, options)
    return _in_json(findings) if as_json else _in_lines(findings)


def _in_json(findings: Iterable[Finding]) -> int:
    found = list(findings)
    well = not any(one.state is State.WRONG for one in found)
    show_json({"ok": well, "findings": [asdict(one) for one in found]})
    return DONE if well else NOT_DONE


def _in_lines(findings: Iterable[Finding]) -> int:
    crosses = 0
    for one in findings:
        say(f"{_MARKS[one.state]} {one.area}: {one.text}")
        if one.advice is not None:
            say(f"    → {one.advice}")
        crosses += one.state is State.WRONG
    say("", "No cross." if not crosses else f"{crosses} to mend.")
    return NOT_DONE if crosses else DONE

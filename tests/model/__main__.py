"""`python -m tests.model [--traces] [part of a name]`: explore all scenarios; exit code 1 if one is not as expected.

Two processes explore at a time. The largest scenario needs less than 1 GiB.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.model.explorer import Explored
from tests.model.scenarios import ACCEPTED, KEPT, MISSING, Scenario

_ALL = (*KEPT, *ACCEPTED, *MISSING)
_TITLES = {KEPT[0]: "as decided", ACCEPTED[0]: "known and accepted", MISSING[0]: "a rule is missing"}
_PROCESSES = 2


def main() -> int:
    """Print a line for each scenario; with ``--traces`` also the way to each broken promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.model")
    parser.add_argument("--traces", action="store_true", help="show the way to each broken promise")
    parser.add_argument("name", nargs="?", default="", help="only scenarios whose names contain this")
    options = parser.parse_args()
    chosen = [number for number, scenario in enumerate(_ALL) if options.name in scenario.name]
    wrong = 0
    with ProcessPoolExecutor(_PROCESSES) as processes:
        for number, (found, seconds) in zip(chosen, processes.map(_explore, chosen), strict=True):
            if _ALL[number] in _TITLES:
                print(f"\n{_TITLES[_ALL[number]]}")
            wrong += not _show(_ALL[number], found, seconds, traces=options.traces)
    print(f"\n{wrong} not as expected" if wrong else "\nall as expected")
    return 1 if wrong else 0


def _explore(number: int) -> tuple[Explored, float]:
    began = time.monotonic()
    return _ALL[number].run(), time.monotonic() - began


def _show(scenario: Scenario, found: Explored, seconds: float, *, traces: bool) -> bool:
    """Print what was found. Returns whether it was expected."""
    expected = found.broken is None if scenario.broken is None else (found.broken or "").endswith(scenario.broken)
    line = f"{scenario.name:60} {found.states:9,} states {seconds:6.1f} s  {found.broken or 'all promises kept'}"
    print(f"  {line}", flush=True)
    if traces or not expected:
        for step in found.trace:
            print(f"      {step}")
    return expected


if __name__ == "__main__":
    sys.exit(main())

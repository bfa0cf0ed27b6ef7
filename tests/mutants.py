"""`python -m tests.mutants`: change the pure rules in one place at a time, and count the changes that no test notices.

mutmut makes the changes (*mutants*) and runs the unit tests against each; ``[tool.mutmut]`` in ``pyproject.toml`` says
which modules and which tests. A run takes about ten minutes. mutmut leaves alone what is decided when a module is
imported: decorators, flags of dataclasses, fields of marshmallow schemas.

It fails if less than 95 % of the mutants are noticed, or if one that is not noticed is missing in :data:`EXPLAINED`.
"""

import subprocess
import sys
from collections import Counter
from pathlib import Path

#: Share of the mutants that the tests must notice.
_ENOUGH = 0.95
_MUTMUT = (str(Path(sys.executable).with_name("mutmut")),)
#: What mutmut calls a mutant that was noticed: a test failed, or did not end.
_NOTICED = ("killed", "timeout")

#: (module, part of a line that mutmut writes or deletes) -> why no test can notice it.
EXPLAINED = {
    ("channels.batching", "= -1000000001.0"): "as long ago as before",
    ("channels.batching", "self._in_burst = None"): "None is as false as False",
    ("channels.placement", 'float("-INF")'): "Python reads it alike",
    ("channels.state", "if not 0 < life < LIFE_SECONDS"): "a life of exactly a day becomes a day",
    ("delivery.circuit_breaker", "self._probes = "): "each change of state sets it before it is read",
    ("delivery.circuit_breaker", "self._probe_at = "): "each change of state sets it before it is read",
    ("delivery.circuit_breaker", "self._probes_ever = 1"): "only the order of these numbers counts",
    ("delivery.circuit_breaker", "self._probes_ever += 2"): "only the order of these numbers counts",
    ("delivery.evidence", "self._successes = 1"): "only whether it has grown counts",
    ("delivery.evidence", "self._successes += 2"): "only whether it has grown counts",
    ("delivery.evidence", "self._refused_with: str | None = "): "no answer is empty",
    ("delivery.evidence", "self._revived = None"): "None is as false as False",
    ("delivery.evidence", "self._revived = True"): "the first refusal sets it before it is read",
    ("delivery.evidence", "len(self._turned_away) <= MISDEPLOYED_AFTER"): "the limit is for memory only",
    ("delivery.evidence", "len(self._unanswered) <= BREAK_AFTER"): "the limit is for memory only",
    ("domain.pairing", "repeated[:2]"): "no two works share a session",
    ("domain.pairing", "same[:2]"): "no two works share a session",
    ("domain.pairing", "return -2"): "less than any difference, as before",
    ("domain.pairing", 'float("INF")'): "Python reads it alike",
    ("domain.record", "raise TypeError("): "the text of the error is for people",
    ("domain.record", 'event.queue_id or "XXXX"'): "there is no such queue either",
    ("domain.record", 'event.message_type or "XXXX"'): "there is no such type either",
    ("domain.record", 'event.media_type or "XXXX"'): "there is no such medium either",
    ("domain.record", "event.media_type or 'XXXX'"): "there is no such medium either",
    ("genesys.legs", 'else "XXXX"'): "that is nobody's purpose either",
    (
        "reconciliation.backfill",
        "_ends(None, direction, leg, session.ends)",
    ): "analytics show no such address",
    ("reconciliation.evidence", "case AcwState.SKIPPED |"): "without it the answer is None, as little as Work.NONE",
    ("reconciliation.plan", "popitem(last=None)"): "None is as false as False",
    ("reconciliation.schedule", "age = max(now - doubt_since, 1)"): "the first period is longer than a millisecond",
    ("reconciliation.wrapups", "segment.ended_at or 1"): "every segment that comes here has an end",
    ("runtime.single_flight", "self._stopped = None"): "None is as false as False",
    ("runtime.single_flight", "cast(None,"): "a cast does nothing at run time",
    ("runtime.single_flight", "flight.tasks.stop(1)"): "a greenlet that was killed ends at once",
    ("genesys.load", "self._busy = None"): "None is as false as False",
}


def main() -> int:
    """Run mutmut, print a table by module and each mutant that was not noticed; return the exit code."""
    with Path("mutants.log").open("wb") as log:
        subprocess.run([*_MUTMUT, "run"], stdout=log, stderr=subprocess.STDOUT, check=False)
    results = dict(_results())
    if not results:
        print("mutmut made no mutant; mutants.log says why")
        return 2
    _print_table(results)
    left = [name for name, result in results.items() if result not in _NOTICED]
    unexplained = [name for name in left if not _is_explained(name)]
    noticed = 1 - len(left) / len(results)
    print(f"{len(results) - len(left)} of {len(results)} noticed: {noticed:.1%}; {len(unexplained)} left unexplained")
    return 1 if unexplained or noticed < _ENOUGH else 0


def _results() -> list[tuple[str, str]]:
    """Name and result of each mutant."""
    lines = _output("results", "--all", "true").splitlines()
    pairs = (line.strip().rsplit(": ", 1) for line in lines if ": " in line)
    return [(name, result) for name, result in pairs]


def _is_explained(name: str) -> bool:
    """Whether the mutant is in the list of those that no test can notice; prints one that is not."""
    shown = _output("show", name)
    changed = [line for line in shown.splitlines() if line.startswith(("+", "-"))]
    for module, part in EXPLAINED:
        if module == _module(name) and any(part in line for line in changed):
            return True
    print(shown)
    return False


def _print_table(results: dict[str, str]) -> None:
    made = Counter(_module(name) for name in results)
    noticed = Counter(_module(name) for name, result in results.items() if result in _NOTICED)
    for module in sorted(made):
        print(f"{module:32} {noticed[module]:5} of {made[module]:5}  {noticed[module] / made[module]:7.1%}")


def _module(name: str) -> str:
    """``genesys_gateway.domain.record.x__title__mutmut_9`` -> ``domain.record``."""
    return name.split(".", 1)[1].rsplit(".", 1)[0]


def _output(*arguments: str) -> str:
    return subprocess.run([*_MUTMUT, *arguments], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())

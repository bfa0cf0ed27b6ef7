"""Looks at everything the gateway needs before it goes live, and says what to mend.

Law: nothing is changed anywhere. The two exceptions are asked for by name: a probe is written, an assertion that a
running gateway may need is spent.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

from genesys_gateway.commands.check import assertion, cloud, database, hosts, issuer, receiver
from genesys_gateway.commands.check.findings import Finding, State, good, skipped, wrong
from genesys_gateway.commands.screen import DONE, NOT_DONE, say, show_json
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.settings import Settings, SettingsError

__all__ = ["Finding", "Options", "State", "inspect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What else may be done."""

    #: send CommunicationHistory a record, which stays there
    write_probe: bool = False
    #: take a token with the assertion in the file although a gateway runs
    use_assertion: bool = False


def inspect(environ: Mapping[str, str], options: Options) -> Iterator[Finding]:
    """Findings one by one, as they are made; the whole takes seconds, and about a minute when nothing answers."""
    try:
        settings = Settings.from_environment(environ)
    except SettingsError as error:
        yield from (
            wrong("settings", mistake, "set it right; nothing else was looked at") for mistake in error.mistakes
        )
        return
    yield good("settings", "; ".join(("none is wrong", *settings.warnings)))
    clock = SystemClock()
    state = database.Seen(runs=None)
    yield from database.inspect(settings, clock, state)
    reached = hosts.Reached()
    yield from hosts.inspect(settings, clock, reached)
    runs = False if options.use_assertion else state.runs
    yield from _inspect_cloud(settings, clock, reached, runs=runs)
    if reached.history:
        yield from receiver.inspect(settings, clock, write_probe=options.write_probe)
    else:
        yield skipped("history", "it can't be reached")
    yield from issuer.inspect(settings, clock)


def _inspect_cloud(
    settings: Settings, clock: SystemClock, reached: hosts.Reached, *, runs: bool | None
) -> Iterator[Finding]:
    found = list(assertion.inspect(settings, clock))
    yield from found
    if any(one.state is State.WRONG for one in found):
        yield skipped("token", "there is no assertion to ask with")
    elif not reached.login:
        yield skipped("token", "the login host can't be reached")
    elif runs is not False and settings.genesys_saml_assertion_file is not None:
        yield skipped(
            "token",
            f"a gateway {'runs' if runs else 'may run'} on this database, and the assertion in the file is good for "
            "one token: it is left to it",
            "to spend it here, give --use-assertion, and put a fresh one into the file afterwards",
        )
    else:
        yield from cloud.inspect(settings, clock, api=reached.api)


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

"""Runs all checks in order and prints the findings.

Invariant: a check is skipped, with the reason, when one that it depends on has failed.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

from genesys_gateway.commands.check import assertion, cloud, database, hosts, instances, issuer, receiver
from genesys_gateway.commands.check.findings import Finding, State, good, skipped, wrong
from genesys_gateway.commands.output import DONE, NOT_DONE, print_json, print_lines
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.settings import Settings, SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the operator permits beyond reading."""

    #: send CommunicationHistory a record, which stays there
    write_probe: bool = False
    #: request a token with the assertion in the file although a gateway runs
    use_assertion: bool = False


def inspect(environ: Mapping[str, str], options: Options) -> Iterator[Finding]:
    """Yield each finding as soon as it is made. All together take seconds, or about a minute when nothing answers."""
    try:
        settings = Settings.from_environment(environ)
    except SettingsError as error:
        yield from (wrong("settings", mistake, "correct it; nothing else was checked") for mistake in error.mistakes)
        return
    yield good("settings", "; ".join(("none is wrong", *settings.warnings)))
    clock = SystemClock()
    gateway = database.GatewayState(runs=None)
    yield from database.inspect(settings, clock, gateway)
    places = instances.Places()
    yield from instances.inspect(settings, clock, places)
    reached = hosts.Reached()
    yield from hosts.inspect(settings, clock, reached)
    runs = False if options.use_assertion else gateway.runs
    yield from _inspect_cloud(settings, clock, reached, places, runs=runs)
    if reached.history:
        yield from receiver.inspect(settings, clock, write_probe=options.write_probe)
    else:
        yield skipped("history", "it can't be reached")
    yield from issuer.inspect(settings, clock)


def _inspect_cloud(
    settings: Settings, clock: SystemClock, reached: hosts.Reached, places: instances.Places, *, runs: bool | None
) -> Iterator[Finding]:
    found = list(assertion.inspect(settings, clock))
    yield from found
    if any(one.state is State.WRONG for one in found):
        yield skipped("token", "there is no usable assertion")
    elif not reached.login:
        yield skipped("token", "the login host can't be reached")
    elif runs is not False and settings.genesys_saml_assertion_file is not None:
        yield skipped(
            "token",
            f"a gateway {'runs' if runs else 'may run'} on this database, and the assertion in the file may be good "
            "for only one token: it is left to that gateway",
            "to send it from here, give --use-assertion, and put a fresh one into the file afterwards",
        )
    else:
        yield from cloud.inspect(settings, clock, api=reached.api, held=instances.held(places))


_MARKS = {State.GOOD: "✓", State.WRONG: "✗", State.SKIPPED: "-"}


def check(options: Options, *, as_json: bool) -> int:
    """Run all checks, print the findings, and return the exit code: 0 if there is no cross, else 1."""
    findings = inspect(os.environ, options)
    return _report_as_json(findings) if as_json else _report_as_lines(findings)


def _report_as_json(findings: Iterable[Finding]) -> int:
    found = list(findings)
    ok = not any(one.state is State.WRONG for one in found)
    print_json({"ok": ok, "findings": [asdict(one) for one in found]})
    return DONE if ok else NOT_DONE


def _report_as_lines(findings: Iterable[Finding]) -> int:
    crosses = 0
    for one in findings:
        print_lines(f"{_MARKS[one.state]} {one.area}: {one.text}")
        if one.advice is not None:
            print_lines(f"    → {one.advice}")
        crosses += one.state is State.WRONG
    print_lines("", "No cross." if not crosses else f"{crosses} to fix.")
    return NOT_DONE if crosses else DONE

"""The command ``demo``: starts simulator and gateway, and runs the five conversations or keeps traffic going."""

import contextlib
import os
import sys

from genesys_gateway.simulator.demo import summary
from genesys_gateway.simulator.demo.deployment import Deployment
from genesys_gateway.simulator.demo.errors import DemoFailed
from genesys_gateway.simulator.demo.interrupts import Interrupted, Interrupts
from genesys_gateway.simulator.demo.result import problems
from genesys_gateway.simulator.demo.runner import ScenarioRunner
from genesys_gateway.simulator.demo.screen import Screen
from genesys_gateway.simulator.demo.traffic import OPTIONS, SETTINGS, TrafficRunner

_INTERRUPTED = 130


def main(*, once: bool) -> int:
    """Run the demo and end every process that was started.

    Args:
        once: End after the five conversations, not at Ctrl-C.

    Returns:
        0 if every record arrived exactly once and every conversation was closed as logged; 1 if not; 130 if a signal
        arrived before that was known.
    """
    screen = Screen.on(sys.stdout, os.environ)
    interrupts = Interrupts()
    code = _INTERRUPTED
    try:
        with Deployment(screen, interrupts) as deployment:
            runner = ScenarioRunner(deployment=deployment, screen=screen)
            code = 0 if _passed(runner) else 1
            if code:
                deployment.keep_files()
            if not once:
                summary.show_suggestions(screen, deployment, runner.interactions[-1])
                deployment.run_until_interrupted()
    except Interrupted:
        screen.line("")
    except DemoFailed as error:
        screen.error(str(error))
        return 1
    screen.line("Ended.")
    return code


def keep_going(*, minutes: float) -> int:
    """Keep a contact centre going, with faults in turn, and end every process that was started.

    Args:
        minutes: How long, unless Ctrl-C ends it earlier.

    Returns:
        0 if it went on until its end, and no record arrived twice or without a reason; 1 if not; 130 if a signal
        arrived before it began.
    """
    screen = Screen.on(sys.stdout, os.environ)
    interrupts = Interrupts()
    settings = {name: value for name, (value, _, _) in SETTINGS.items()}
    try:
        with Deployment(screen, interrupts, settings, OPTIONS) as deployment:
            runner = TrafficRunner.of(deployment, screen)
            with contextlib.suppress(Interrupted):
                runner.run(minutes * 60)
            code = 0 if runner.finish() else 1
            if code:
                deployment.keep_files()
    except Interrupted:
        return _INTERRUPTED
    except DemoFailed as error:
        screen.error(str(error))
        return 1
    screen.line("Ended.")
    return code


def _passed(runner: ScenarioRunner) -> bool:
    """Run the conversations and print the summary; return whether everything arrived."""
    deployment, screen = runner.deployment, runner.screen
    runner.run_all()
    outcomes = runner.wait_until_closed()
    records = [stored["record"] for stored in deployment.contact_centre.records()]
    found = problems(runner.announced, records, outcomes)
    summary.show_records(screen, records)
    summary.show_conversations(screen, [deployment.gateway.view(one) for one in runner.interactions])
    summary.show_cost(screen, deployment.contact_centre.calls())
    summary.show_result(screen, runner.announced, outcomes, found)
    return not found

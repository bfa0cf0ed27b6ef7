"""Shows the whole way on one machine: a simulated Genesys Cloud, the gateway, five conversations.

Law: it speaks to both over HTTP only, as BOFE and a contact centre would, and imports nothing else of the gateway;
everything it waits for is bounded, and the processes it starts end with it.

What is where: `story` holds the five conversations, `play` lets them happen step by step on the `screen`, `verdict`
says whether all arrived, `afterwards` shows it; `parties` are the two other sides over HTTP; `stage` makes ports,
secrets, files and `children`, until one of the `interrupts`.
"""

import os
import sys

from genesys_gateway.simulator.demo import afterwards, verdict
from genesys_gateway.simulator.demo.errors import DemoFailed
from genesys_gateway.simulator.demo.interrupts import Interrupted, Interrupts
from genesys_gateway.simulator.demo.play import Play
from genesys_gateway.simulator.demo.screen import Screen
from genesys_gateway.simulator.demo.stage import Stage

_INTERRUPTED = 130


def main(*, once: bool) -> int:
    """Play, print, and end what was started.

    Args:
        once: End after the five conversations instead of on Ctrl-C.

    Returns:
        0 when every record arrived exactly once and every conversation was closed as logged; 1 when not; 130 when
        interrupted before that was known.
    """
    screen = Screen.on(sys.stdout, os.environ)
    interrupts = Interrupts()
    code = _INTERRUPTED
    try:
        with Stage(screen, interrupts) as stage:
            play = Play(stage=stage, screen=screen)
            code = 0 if _passed(play) else 1
            if code:
                stage.keep_files()
            if not once:
                afterwards.invite(screen, stage, play.interactions[-1])
                stage.stay()
    except Interrupted:
        screen.say("")
    except DemoFailed as error:
        screen.trouble(str(error))
        return 1
    screen.say("Ended.")
    return code


def _passed(play: Play) -> bool:
    """Play and tell how it went; whether all arrived."""
    stage, screen = play.stage, play.screen
    play.conversations()
    outcomes = play.ends()
    records = [stored["record"] for stored in stage.centre.records()]
    missing = verdict.missing(play.announced, records, outcomes)
    afterwards.show_records(screen, records)
    afterwards.show_conversations(screen, [stage.gateway.view(one) for one in play.interactions])
    afterwards.show_cost(screen, stage.centre.calls())
    afterwards.show_verdict(screen, play.announced, outcomes, missing)
    return not missing

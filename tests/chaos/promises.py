"""Checks that every promise to BOFE was kept, and that the gateway's own metrics agree."""

from tests.chaos.load import Load
from tests.chaos.world import World
from tests.harness import judge
from tests.harness.http import NoAnswer
from tests.harness.report import Report
from tests.harness.waiting import wait_for

_READY_SECONDS = 30.0
#: Seconds to wait for the gauges: the more rows there are, the more rarely they are set.
_COUNTED_SECONDS = 60.0


def kept(report: Report, world: World, load: Load) -> bool:
    """Claim that each 2xx is on disk, that each is followed or closed, and that only attempts in doubt are repeated."""
    wait_for(lambda: all(instance.gateway.ready() for instance in world.instances), _READY_SECONDS)
    for instance in world.instances:
        instance.read_counters()
    missing = [one for one in load.promised if not _known(world, one)]
    promised = len(load.promised)
    claims = [
        report.claim("every 2xx is on disk", not missing, f"{promised} promised, {len(missing)} missing"),
        report.claim("the load never faltered", not load.failures, f"{load.calls} calls, {load.events} events"),
    ]
    wait_for(lambda: world.metric("conversations") == promised, _COUNTED_SECONDS)
    counted, unaccounted = world.metric("conversations"), world.metric("conversations_unaccounted")
    figure = f"{counted} followed or closed, {unaccounted} unaccounted"
    claims.append(report.claim("accepted = followed + closed", (counted, unaccounted) == (promised, 0), figure))
    again, doubted = judge.sent_again(world.simulator.attempts()), world.doubted()
    figure = f"{again} sent again, {doubted} in doubt"
    claims.append(report.claim("what was stored is sent again only after doubt", again <= doubted, figure))
    return all(claims)


def _known(world: World, conversation: str) -> bool:
    try:
        return world.gateway.view(conversation) is not None
    except NoAnswer:
        return False

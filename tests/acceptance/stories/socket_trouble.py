"""A socket ended, refused, evicted, closed after notice, or frozen: covered again in time, and nothing is lost."""

from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

SECONDS = 400
_AWAY_SECONDS = 2


def play(stage: Stage) -> None:
    """Conversations are finished during each trouble; heartbeats are frequent."""
    heartbeat = stage.scale.of(full=4, fast=4, small=2)
    simulator = stage.simulator({"heartbeatSeconds": heartbeat - 1, "analyticsLagSeconds": stage.scale.of(10, 10, 1)})
    settings = {"GATEWAY_HEARTBEAT_SECONDS": heartbeat}
    # At the small scale analytics are believed to be complete sooner, and both channels are kept for a shorter time.
    soon = {"GATEWAY_ANALYTICS_SETTLE_SECONDS": 20, "GATEWAY_CHANNEL_OVERLAP_SECONDS": 1}
    gateway = stage.gateway(simulator, settings | stage.scale.of({}, {}, soon)).start()
    trouble = _Trouble(stage, simulator, gateway)
    trouble.ended()
    trouble.refused()
    trouble.notice()
    trouble.frozen(heartbeat)
    judge.one_socket_per_channel(stage.report, simulator)
    trouble.evicted()  # the last: evicting a connected channel is what the claim before denies
    sources = judge.sources(simulator.ledger("records"))
    stage.report.note(f"records: {sources['live']} live, {sources['backfill']} recovered by asking")
    judge.nothing_lost_nothing_doubled(stage.report, simulator)


class _Trouble:
    def __init__(self, stage: Stage, simulator: Simulator, gateway: Gateway) -> None:
        self._report = stage.report
        self._scale = stage.scale
        self._simulator = simulator
        self._gateway = gateway

    def ended(self) -> None:
        """The socket is dropped, or closed with a close frame."""
        for action in ("drop", "close"):
            sessions = self._followed(self._scale.of(full=25, fast=25, small=10))
            self._simulator.control("POST", f"/channels/all/{action}", {"goodbye": True} if action == "close" else {})
            finished = self._finished()
            self._simulator.finish_all(sessions)
            covered = self._simulator.wait_covered(sessions, self._scale.of(full=20, fast=20, small=5))
            took = self._simulator.wait_clean(finished + len(sessions), 60)
            figure = f"covered after {covered or -1:.1f} s, all recorded after {took or -1:.1f} s more"
            self._report.claim(f"socket ended by {action}, wrap-ups meanwhile: all recorded", took is not None, figure)

    def refused(self) -> None:
        """The socket is dropped, and no other is accepted until two seconds after the wrap-ups."""
        sessions, before = self._followed(100), self._recovered()
        self._simulator.fault("refuse_upgrade", status=503)
        self._simulator.control("POST", "/channels/all/drop")
        finished = self._finished()
        self._simulator.finish_all(sessions)
        sleep(_AWAY_SECONDS)
        self._simulator.clear_faults()
        took = self._simulator.wait_clean(finished + len(sessions), 60)
        recovered = self._recovered() - before
        limit = self._scale.of(full=60, fast=60, small=20)
        held = took is not None and took <= limit and recovered == len(sessions)
        text = f"sockets refused until {_AWAY_SECONDS} s after 100 wrap-ups: all recovered within {limit} s"
        self._report.claim(text, held, f"{recovered} recovered, all recorded after {took or -1:.1f} s")

    def notice(self) -> None:
        """Genesys announces that it will close the socket; conversations are finished until after the close."""
        sessions, before = self._followed(self._scale.of(full=50, fast=50, small=100)), self._recovered()
        old = self._simulator.connected()
        after, pause = self._scale.of(full=(20, 0.5), fast=(20, 0.5), small=(30, 0.03))
        evictions = len(self._simulator.ledger("evictions"))
        self._simulator.control("POST", "/channels/all/close", {"notice": True, "afterSeconds": after})
        finished = self._finished()
        for session in sessions:
            self._simulator.finish(session)
            sleep(pause)
        took = self._simulator.wait_clean(finished + len(sessions), 60)
        recovered = self._recovered() - before
        # At the small scale the first questions come during this, and an answer may be stored before the event.
        held = took is not None and recovered <= self._scale.of(full=0, fast=0, small=len(sessions) // 50)
        text = "closing notice, wrap-ups all through it: all come live"
        self._report.claim(text, held, f"{recovered} recovered by asking")
        gone = wait_for(lambda: not old & self._simulator.connected(), 60)
        closed = self._closed_after(old)
        # At the larger scales Genesys closes it: the gateway would keep it for an overlap of 60 s.
        by, limit = self._scale.of(full=("", 60), fast=("", 60), small=(" by the gateway, before Genesys does", after))
        held = gone is not None and closed < limit
        self._report.claim(f"closing notice: the old socket is closed{by}", held, f"{closed:.1f} s after the notice")
        evicted = len(self._simulator.ledger("evictions")) - evictions
        self._report.claim("closing notice: no channel is evicted", evicted == 0, evicted)

    def frozen(self, heartbeat: int) -> None:
        """The socket stays open, but nothing comes through it."""
        sessions = self._followed(self._scale.of(full=50, fast=50, small=20))
        frozen = next(c["id"] for c in self._simulator.channels() if c["connected"] and c["topics"])
        opened, finished = self._simulator.sockets_opened(), self._finished()
        self._simulator.fault("freeze", channel=frozen, seconds=heartbeat + 2)
        self._simulator.finish_all(sessions)
        noticed = wait_for(lambda: self._simulator.sockets_opened() > opened, 30)
        took = self._simulator.wait_clean(finished + len(sessions), 60)
        bound = heartbeat + 5
        held = took is not None and noticed is not None and noticed <= bound
        figure = f"another socket after {noticed or -1:.1f} s, all recorded after {took or -1:.1f} s more"
        text = f"socket frozen: noticed within heartbeat + 5 s ({bound} s), all recorded"
        self._report.claim(text, held, figure)

    def evicted(self) -> None:
        """Genesys removes the channel itself."""
        sessions, old = self._followed(50), {channel["id"] for channel in self._simulator.channels()}
        self._simulator.control("POST", "/channels/all/evict")
        covered = self._simulator.wait_covered(sessions, 20)
        left = old & {channel["id"] for channel in self._simulator.channels()}
        held = covered is not None and not left
        text = "channel evicted: all are covered on another channel"
        self._report.claim(text, held, f"after {covered or -1:.1f} s")
        took = self._finish(sessions)
        self._report.claim("channel evicted: wrap-ups afterwards are recorded", took is not None)

    def _followed(self, count: int) -> list[AgentSession]:
        sessions = self._simulator.start_many(count)
        self._gateway.register_all(sessions)
        self._simulator.until_covered(sessions)
        return sessions

    def _finish(self, sessions: list[AgentSession]) -> float | None:
        finished = self._finished()
        self._simulator.finish_all(sessions)
        return self._simulator.wait_clean(finished + len(sessions), 60)

    def _finished(self) -> int:
        return len(self._simulator.ledger("finished"))

    def _closed_after(self, channels: set[str]) -> float:
        """Seconds from the last closing notice until the last socket of these channels was closed."""
        entries = self._simulator.ledger("sockets")
        noticed = max(entry["at"] for entry in entries if entry["event"] == "closing_announced")
        closed = [entry["at"] for entry in entries if entry["event"] == "closed" and entry["channel"] in channels]
        return float(max(closed, default=noticed) - noticed) / 1000

    def _recovered(self) -> int:
        return judge.sources(self._simulator.ledger("records"))["backfill"]

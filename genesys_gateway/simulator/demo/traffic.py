"""Keeps a contact centre going: conversations come and go, and one fault after the other is switched on and off.

Invariant: what the screen says about the dashboard was read from the gateway. At the end every fault is switched off.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from genesys_gateway.simulator.demo.clients import Json
from genesys_gateway.simulator.demo.deployment import QUIET_SECONDS, Deployment
from genesys_gateway.simulator.demo.faults import FAULTS, Fault, Scene, all_well
from genesys_gateway.simulator.demo.guests import Guests
from genesys_gateway.simulator.demo.screen import Screen
from genesys_gateway.simulator.demo.timetable import Turn, turn_at

#: Settings of the gateway that differ, why, and the usual value.
SETTINGS: Mapping[str, tuple[str, str, str]] = {
    "GATEWAY_QUIET_SECONDS": (str(QUIET_SECONDS), "60", "a conversation is asked about soon after its last event"),
    "GATEWAY_ANALYTICS_SETTLE_SECONDS": ("20", "300", "and closed within half a minute"),
    "GATEWAY_RETRY_MAX_SECONDS": ("8", "300", "a receiver that is back is noticed soon"),
    "GATEWAY_CHANNEL_TOPICS": ("25", "1000", "a few conversations fill several channels"),
    "GATEWAY_CHANNEL_BUDGET": ("8", "20", "and the budget can be seen"),
}
OPTIONS: Mapping[str, object] = {"analyticsLagSeconds": 3}

#: The traffic of the contact centre; the demo's own conversations come on top.
_TRAFFIC: Mapping[str, object] = {
    "perMinute": 75,
    "talkSeconds": 30,
    "acwSeconds": 6,
    "standing": 38,
    "standingPerSecond": 15,
    "withoutAcw": 0.05,
    "agents": 20,
}
#: Seconds without a fault before each one.
_PAUSE_SECONDS = 25.0
_LOOK_SECONDS = 1.0
#: Seconds from one line with numbers to the next.
_NUMBERS_SECONDS = 15.0
_POLL_SECONDS = 0.1


@dataclass(slots=True, kw_only=True)
class TrafficRunner:
    """One run of the contact centre."""

    deployment: Deployment
    screen: Screen
    scene: Scene
    _begun: float = field(default_factory=time.monotonic)
    _on: Turn[Fault] | None = None
    #: when the last fault ended
    _ended: float = 0.0
    #: codes on the dashboard
    _shown: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, deployment: Deployment, screen: Screen) -> "TrafficRunner":
        """Prepare a run; nothing begins yet."""
        scene = Scene(
            contact_centre=deployment.contact_centre,
            identity_provider=deployment.identity_provider,
            operators=deployment.operators,
            guests=Guests(contact_centre=deployment.contact_centre, gateway=deployment.gateway),
            database=deployment.database,
        )
        return cls(deployment=deployment, screen=screen, scene=scene)

    def run(self, seconds: float) -> None:
        """Go on for that time.

        Raises:
            DemoFailed: The simulator or the gateway gave an unexpected answer, or ended.
            Interrupted: A signal asked the demo to end.
        """
        self.scene.guests.prepare()
        self.deployment.contact_centre.control("POST", "/traffic", {**_TRAFFIC, "notify": self.deployment.start_bofe()})
        self._begun = time.monotonic()
        self._introduce(seconds)
        looked = numbers = 0.0
        while (moment := self._moment()) < seconds:
            self.scene.guests.play(moment)
            self._follow_timetable(moment)
            if moment >= looked:
                looked = moment + _LOOK_SECONDS
                if (status := self.deployment.operators.status()) is not None:
                    self._tell_changes(status, moment)
                    if moment >= numbers:
                        numbers = moment + _NUMBERS_SECONDS
                        self._tell_numbers(status)
            self.deployment.pause(_POLL_SECONDS)

    def finish(self) -> bool:
        """Switch everything off and tell what has arrived; return whether every record did so once and with a reason.

        Raises:
            DemoFailed: The simulator gave an unexpected answer.
        """
        all_well(self.scene)
        centre = self.deployment.contact_centre
        centre.control("DELETE", "/traffic", {"abandon": True})
        balance = centre.control("GET", "/balance")
        once, expected, held = balance["storedOnce"], balance["expected"], balance["lost"]
        self.screen.line("")
        self.screen.success(f"{once} of {expected} records have arrived, each exactly once; the gateway holds {held}.")
        wrong = int(balance["doubled"] + balance["strange"])
        if wrong:
            self.screen.error(f"Problem: {wrong} records arrived twice, or are of after-call work that was not done.")
        return not wrong

    def _introduce(self, seconds: float) -> None:
        per_minute = _TRAFFIC["perMinute"]
        self.screen.heading(f"A contact centre at work: {per_minute} new conversations a minute, and faults in turn")
        rows = [(name, value, usual, why) for name, (value, usual, why) in SETTINGS.items()]
        self.screen.table(("setting", "here", "usually", "so that"), rows)
        self.screen.line(f"  Ctrl-C ends it; it ends by itself after {seconds / 60:.0f} minutes.\n")

    def _follow_timetable(self, moment: float) -> None:
        """Switch the fault of this moment on, or the last one off."""
        turn = turn_at(FAULTS, _PAUSE_SECONDS, moment)
        if self._on is not None and self._on.number != turn.number:
            all_well(self.scene)
            if self._on.what.afterwards is not None:
                self._on.what.afterwards(self.scene)
            self._ended = moment
            self._say(f"over     {self._on.what.title}")
            self._on = None
        if self._on is None and moment >= turn.begins:
            self._on = turn
            self._ended = 0.0
            fault = turn.what
            fault.begin(self.scene)
            self._say(f"FAULT    {fault.title}, for {fault.seconds:.0f} s")
            shown = f"the dashboard will show {fault.code}" if fault.code else "the dashboard shows no trouble"
            self._detail(f"{shown}; {fault.hint}")

    def _tell_changes(self, status: Json, moment: float) -> None:
        """Tell which troubles have come and gone on the dashboard."""
        troubles = {trouble["code"]: trouble["text"] for trouble in status["troubles"]}
        since = moment - (self._on.begins if self._on else self._ended)
        for code in troubles.keys() - self._shown:
            self._say(f"trouble  {code} after {since:.0f} s: {troubles[code]}", good=False)
        for code in self._shown - troubles.keys():
            self._say(f"no more  {code}, {since:.0f} s after the fault's {'begin' if self._on else 'end'}", good=True)
        self._shown = {*troubles}

    def _tell_numbers(self, status: Json) -> None:
        state, promise = self.deployment.contact_centre.state(), status["promise"]
        traffic = state["traffic"]
        kept = "kept" if not promise["unaccounted"] else f"NOT KEPT: {promise['unaccounted']} unaccounted"
        self._say(
            f"{traffic['goingOn']} talk, {traffic['inAcw']} in after-call work; {promise['accepted']} registered, "
            f"{promise['closed']} closed, {state['records']} recorded, {status['backlog']} wait; promise {kept}"
        )

    def _say(self, text: str, *, good: bool | None = None) -> None:
        write = self.screen.line if good is None else self.screen.success if good else self.screen.error
        write(f"{datetime.now().astimezone():%H:%M:%S}  {text}")

    def _detail(self, text: str) -> None:
        self.screen.line(f"                   {text}")

    def _moment(self) -> float:
        return time.monotonic() - self._begun

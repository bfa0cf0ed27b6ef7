"""Plays traffic: conversations begin, end and are wrapped up at given rates and durations, in virtual time.

Invariant: everything happens in timers of the clock at the planned moments. A timer that is late shifts no later one,
so that rates and lengths stay exact, also after a jump of the clock.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import Any

from genesys_gateway.simulator.clock import Clock
from genesys_gateway.simulator.contact_centre import DEFAULT_CODE, ContactCentre
from genesys_gateway.simulator.conversations import Addresses, Conversation, Participant
from genesys_gateway.simulator.errors import ControlError
from genesys_gateway.simulator.ledger import Ledger
from genesys_gateway.simulator.notifier import Notifier, Telling, Told
from genesys_gateway.simulator.topics import acw_topic
from genesys_gateway.simulator.traffic_plan import Beginning, TrafficPlan, beginnings, rests_of_talks

_BANK = "tel:+63288887777"
_AGENTS = uuid.UUID("5f9a1f0e-6a57-4b0f-9d5e-3f1c0a7b2d44")


class TrafficPlayer:
    """Plays one traffic at a time, and shows the newest."""

    def __init__(self, clock: Clock, contact_centre: ContactCentre, ledger: Ledger) -> None:
        self._clock, self._contact_centre, self._ledger = clock, contact_centre, ledger
        self._notifier = Notifier(clock)
        self._traffic: _Traffic | None = None

    def start(self, plan: TrafficPlan) -> None:
        """Begin to play. Raises ControlError if traffic is played already."""
        if self._traffic is not None and self._traffic.playing:
            raise ControlError("traffic is played already; DELETE stops it", status=409)
        self._traffic = _Traffic(plan, self._clock, self._contact_centre, self._ledger, self._notifier)
        self._traffic.start()

    def stop(self, *, abandon: bool = False) -> None:
        """Begin no more conversations. Those that go on still end, unless `abandon`. A repetition changes nothing."""
        if self._traffic is not None:
            self._traffic.stop(abandon=abandon)

    def close(self) -> None:
        """Stop everything at once, requests too. The timers are left to the clock."""
        self.stop(abandon=True)
        self._notifier.close()

    def numbers(self) -> dict[str, Any]:
        """The newest traffic in numbers."""
        traffic = self._traffic
        told = traffic.told if traffic else Told()
        return {
            "playing": traffic is not None and traffic.playing,
            "goingOn": traffic.begun - traffic.ended if traffic else 0,
            "inAcw": traffic.ended - traffic.over if traffic else 0,
            "begun": traffic.begun if traffic else 0,
            "ended": traffic.ended if traffic else 0,
            "finished": traffic.finished if traffic else 0,
            "told": told.told,
            "registered": told.registered,
            "failed": told.failed,
            "retries": told.retries,
            "waiting": told.waiting,
        }

    def as_json(self) -> dict[str, Any]:
        """The numbers, and the plan of the newest traffic."""
        return {**self.numbers(), "plan": self._traffic.plan.as_json() if self._traffic else None}


class _Traffic:
    """One traffic, from its start until its last conversation is over."""

    def __init__(
        self, plan: TrafficPlan, clock: Clock, contact_centre: ContactCentre, ledger: Ledger, notifier: Notifier
    ) -> None:
        self.plan = plan
        #: Whether conversations still begin, or last until it is stopped.
        self.playing = True
        self.begun = self.ended = self.finished = self.over = 0
        self.told = Told()
        self._clock, self._contact_centre, self._ledger, self._notifier = clock, contact_centre, ledger, notifier
        self._abandoned = False
        self._beginnings = beginnings(plan)
        self._started = clock.virtual()
        self._agents = [_agent(number) for number in range(plan.agents)]
        self._lasting: list[tuple[Conversation, Participant]] = []

    def start(self) -> None:
        self._plan_next()

    def stop(self, *, abandon: bool) -> None:
        self._abandoned = self._abandoned or abandon
        if not self.playing:
            return
        self.playing = False
        rests = rests_of_talks(self.plan, len(self._lasting), random.Random(self.plan.seed))
        for (conversation, agent), rest in zip(self._lasting, rests, strict=True):
            self._plan_end(conversation, agent, self._clock.virtual() + rest)
        self._lasting.clear()

    def _plan_next(self) -> None:
        beginning = next(self._beginnings, None)
        if beginning is None:
            self.playing = bool(self._lasting)
        else:
            self._clock.call_at(self._started + beginning.at, lambda: self._begin(beginning))

    def _begin(self, beginning: Beginning) -> None:
        if not self.playing:
            return
        conversation, agent = self._contact_centre.start(
            media_type="VOICE",
            direction="INBOUND",
            addresses=Addresses(ani=f"tel:+639{random.randrange(10**9):09}", dnis=_BANK),
            agent=self._agents[beginning.agent],
            has_acw=beginning.has_acw,
            expected=self.plan.notify is not None,
        )
        self.begun += 1
        topic, began = acw_topic(conversation.id), conversation.started.wall
        played = self._ledger.record_beginning(topic, conversation.id, began)
        if self.plan.notify is not None:
            self._notifier.tell(
                Telling(url=self.plan.notify, conversation=conversation, played=played, count=self.told)
            )
        if beginning.ends is None:
            self._lasting.append((conversation, agent))
        else:
            self._plan_end(conversation, agent, self._started + beginning.ends)
        self._plan_next()

    def _plan_end(self, conversation: Conversation, agent: Participant, at: float) -> None:
        self._call_at(at, lambda: self._end(conversation, agent, at))

    def _end(self, conversation: Conversation, agent: Participant, at: float) -> None:
        """The customer hangs up; the agent goes into after-call work, if there is any."""
        self._contact_centre.end(conversation)
        self.ended += 1
        if agent.wrapup_required:
            self._call_at(at + self.plan.acw_seconds, lambda: self._wrap_up(conversation))
        else:
            self.over += 1

    def _wrap_up(self, conversation: Conversation) -> None:
        now = self._clock.wall()
        for agent in conversation.agents:
            if not agent.done:  # a person may have been quicker
                begun = agent.acw_started.wall if agent.acw_started else now
                self._contact_centre.wrap_up(conversation, agent, DEFAULT_CODE[0], None, now - begun)
        self.finished += 1
        self.over += 1

    def _call_at(self, moment: float, action: Callable[[], None]) -> None:
        """Do it at that virtual moment, unless the traffic is abandoned until then."""
        self._clock.call_at(moment, lambda: None if self._abandoned else action())


def _agent(number: int) -> tuple[str, str]:
    """Id and name of an agent: the same ones in every traffic."""
    return str(uuid.uuid5(_AGENTS, str(number))), f"Agent {number + 1:03}"

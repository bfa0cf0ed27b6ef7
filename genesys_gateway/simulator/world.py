"""One simulated world: the only place where the simulator's parts are wired together, without any HTTP."""

from __future__ import annotations

from typing import Any

from genesys_gateway.simulator.channels import Channels
from genesys_gateway.simulator.clock import Clock
from genesys_gateway.simulator.contact_centre import ContactCentre
from genesys_gateway.simulator.faults import Faults
from genesys_gateway.simulator.ledger import Ledger
from genesys_gateway.simulator.oauth import AuthorizationServer, Client
from genesys_gateway.simulator.options import Options
from genesys_gateway.simulator.receiver import Receiver
from genesys_gateway.simulator.traffic import TrafficPlayer

CLIENT_ID = "simulator-client"
CLIENT_SECRET = "simulator-secret"  # noqa: S105 - public on purpose


class World:
    """A Genesys Cloud and a CommunicationHistory-manager; `reset` builds them anew."""

    clock: Clock
    options: Options
    faults: Faults
    ledger: Ledger
    login: AuthorizationServer
    channels: Channels
    contact_centre: ContactCentre
    receiver: Receiver
    traffic: TrafficPlayer
    #: The balance as the console last showed it, and until when it shows this one (seconds of the monotonic clock).
    balance_shown: tuple[float, dict[str, Any]] | None

    def __init__(self) -> None:
        self.clock = Clock()
        self._build()
        self.clock.start()

    def reset(self) -> None:
        """Return to the initial state: drop sockets, remove tokens and channels, restore options and clock speed."""
        for channel in list(self.channels.by_id.values()):
            if channel.sender is not None:
                channel.sender.drop()
        self.traffic.close()
        self.clock.clear_timers()
        self.receiver.set_behaviour({})  # releases calls that hang
        self.clock.set_speed(1.0)
        self._build()

    def close(self) -> None:
        for channel in list(self.channels.by_id.values()):
            if channel.sender is not None:
                channel.sender.drop()
        self.traffic.close()
        self.clock.stop()

    def _build(self) -> None:
        clock = self.clock
        self.options = Options()
        self.faults = Faults(clock=clock)
        self.ledger = Ledger()
        self.login = AuthorizationServer(clock=clock, options=self.options)
        self.login.clients[CLIENT_ID] = Client(id=CLIENT_ID, secret=CLIENT_SECRET)
        self.channels = Channels(clock=clock, options=self.options, ledger=self.ledger, faults=self.faults)
        self.login.on_token_end = lambda token, revoked: self.channels.end_with_token(token, revoked=revoked)
        self.contact_centre = ContactCentre(channels=self.channels, ledger=self.ledger)
        self.receiver = Receiver(clock=clock)
        self.traffic = TrafficPlayer(clock, self.contact_centre, self.ledger)
        self.balance_shown = None

"""A simulated Genesys Cloud and CommunicationHistory-manager in one process, for tests, demonstrations and practice.

It answers Genesys's login, REST API and notification WebSockets over real HTTP, stores communication records as the
CommunicationHistory-manager does, and misbehaves on request. It also records what really happened, so that a client
under test can be compared with the truth. The imitated behaviour of Genesys is numbered in docs/genesys-facts.md and
cited as `F12`.

Invariant: nothing in here imports anything else of the gateway, so that a mistake there is not repeated here.

The files, in reading order:

    world                one simulated world: everything below wired together, without HTTP
    options              settings that can be changed while it runs
    clock                virtual time, which can be sped up or advanced
    conversations        conversation, participant, communication, wrap-up: plain data
    contact_centre       calls start, are transferred, wrapped up and ended; announces finished after-call work
    events               the JSON of an after-call work event
    topics               which topics exist, and the permissions each needs
    channels             notification channels, their subscriptions, and delivery of events
    sockets, sender      one WebSocket: its reading side and its writing side
    oauth, saml          access tokens, and checks of SAML assertions
    receiver             the CommunicationHistory-manager
    faults               faults that are switched on by name
    odd_text             text that is not quite JSON, for the fault of that name
    distortions          answers about a conversation that are too large, hollow, or about another one
    disruptions          immediate harm to channels and sockets
    ledger, balance      what really happened, and how it compares with the stored records
    listening            when topics had no open socket, or several
    traffic_plan, traffic      which traffic is wanted; conversations begin, end and are wrapped up at given rates
    notifier, http_connections      a URL is told of each new conversation of the traffic
    wire                 HTTP request, response and router
    rest                 the Genesys REST API
    conversation_answer, analytics_answer, analytics_query      JSON of the conversation and analytics resources
    name_pages           pages of users and wrap-up codes
    control, actions     the control API under `/_sim`, and the actions of agents and customers
    parameters           which parameters the control API takes, and of what kind each is
    console, pages       the console page at `/`
    app, server          the WSGI application, and the ports it listens on
    __main__             ``python -m genesys_gateway.simulator``
    launch, cli, verify  the command line: `serve`, and `verify`
    bofe                 the command `bofe`: registers what the traffic player tells
    errors               exceptions that become error answers
    demo                 the whole path on one machine, to be watched
"""

from __future__ import annotations

from genesys_gateway.simulator.launch import main

__all__ = ["main"]

"""Genesys-gateway: each after-call work of a registered conversation becomes one communication record.

The path of the data::

    BOFE → web → intake → storage                  a registration is stored, once
    storage → channels → Genesys                   the conversation's topic is subscribed; a WebSocket listens
    Genesys → channels → intake → storage          a notification becomes an event, the event an entry of the outbox
    storage → delivery → CommunicationHistory      the entry becomes a record, which is sent until it has arrived
    Genesys → reconciliation → storage             missed events are asked for; conversations that are over are closed

The folders, in reading order. Each opens with its invariant and its files. Imports go down only; `make check` tests
this by the rules in pyproject.toml.

    domain               pure: after-call work, outbox entry, communication record
    gateway              composition root: creates and connects all parts; the order of start and stop
    web                  HTTP interface: authenticate, validate, call one function, answer
    intake               stores what arrives before anything is done about it
    channels             notification channels: topics, WebSockets, handover
    delivery             sends the entries of the outbox to CommunicationHistory
    reconciliation       asks Genesys what was missed, and closes conversations that are over
    maintenance          what runs on a timer: lease, resync, gauges, retention
    genesys              the only client of Genesys Cloud
    storage              one way to commit, on SQLite or PostgreSQL; all SQL
    settings             every setting, read once and checked together
    runtime              clock, greenlets, logs, metrics, errors, back-off, HTTP client
    commands             commands for operators, run beside the service
    simulator            simulates Genesys Cloud and CommunicationHistory; shares no code with the rest
    __main__             ``python -m genesys_gateway``
"""

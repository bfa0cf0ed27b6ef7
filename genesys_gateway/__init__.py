"""Genesys-gateway: each after-call work of a registered conversation becomes one communication record.

The path of the data::

    BOFE → web → intake → storage                  an interaction is stored, once
    storage → channels → Genesys                   its topic is subscribed on a channel; a WebSocket listens
    Genesys → channels → intake → storage          a notification becomes an event, the event an entry of the outbox
    storage → delivery → CommunicationHistory      the entry becomes a record, and is sent until it is there
    Genesys → reconciliation → storage             what no socket brought is asked for; what is over is closed

The folders, in reading order. Each opens with its invariant and its files. Imports go down only; pyproject.toml holds
the rules, and a check keeps them.

    domain               pure vocabulary: after-call work, outbox entry, communication record
    gateway              composition root: what is made of what; the order of start and stop
    web                  HTTP in: authenticate, validate, call one function, answer
    intake               what comes in is on disk before anything is done about it
    channels             notification channels: topics, WebSockets, handover
    delivery             the outbox's way out, to CommunicationHistory
    reconciliation       asks Genesys what was missed, and closes what is over
    maintenance          what runs on a timer: lease, resync, gauges, retention
    genesys              the only client of Genesys Cloud
    storage              one way to commit, on SQLite or PostgreSQL; all SQL
    settings             every setting, read once and checked together
    runtime              clock, greenlets, logs, metrics, errors, back-off, HTTP client
    commands             what a person runs beside the service
    simulator            a Genesys Cloud and a CommunicationHistory to practise against; shares no code with the rest
    __main__             ``python -m genesys_gateway``
"""

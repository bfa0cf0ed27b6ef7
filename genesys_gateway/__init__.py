"""Genesys-gateway: each after-call work of a registered conversation becomes one communication record.

The path of the data::

    BOFE → web → intake → storage                  a registration is stored, once
    storage → channels → Genesys                   the conversation's topic is subscribed; a WebSocket listens
    Genesys → channels → intake → storage          a notification becomes an event, the event an entry of the outbox
    storage → delivery → CommunicationHistory      the entry becomes a record, which is sent until it has arrived
    Genesys → reconciliation → storage             missed events are fetched; conversations that are over are closed

The folders, in reading order: along the path of the data, then what all of them use. The ``__init__.py`` of each opens
with its invariant and lists its files. Imports go down only; ``make check`` tests this by the rules in pyproject.toml.

    domain               pure: after-call work, outbox entry, communication record
    web                  HTTP interface: authenticate, validate, call one function, answer; pages for operators
    intake               stores what arrives before anything is done about it
    storage              one way to commit, on SQLite or PostgreSQL; all SQL
    channels             notification channels: topics, WebSockets, handover
    genesys              the only client of Genesys Cloud
    reconciliation       asks Genesys what was missed, and closes conversations that are over
    delivery             sends the entries of the outbox to CommunicationHistory
    maintenance          what runs on a timer: lease, resync, gauges, retention
    oversight            what operators see: troubles, the last hour, conversations and records, explanations
    parts                composition root: creates all parts and connects them
    gateway              the order in which the parts start and stop
    serving              the process that serves: gunicorn's configuration, and the application that it serves
    settings             every setting, read once and checked together
    runtime              clock, greenlets, logs, metrics, errors, back-off, HTTP client
    commands             commands for operators, run beside the service
    simulator            simulates Genesys Cloud and CommunicationHistory; shares no code with the rest
    __main__             ``python -m genesys_gateway``
"""

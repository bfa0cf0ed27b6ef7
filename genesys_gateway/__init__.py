"""Genesys-gateway: each after-call work of a registered conversation becomes one communication record.

The one way of the data::

    BOFE → routes → registration → disk        an interaction is remembered, once
    disk → channel_registry → channel          its topic stands on a channel; a WebSocket listens
    channel → events → following → disk        a notification becomes an event, the event an entry of the outbox
    disk → delivery → CommunicationHistory     the entry becomes a record, and is sent until it is there
    Genesys → reconciliation → disk            the side door: what a gap may have hidden, and when it is over

Every room opens with what it does and with its law. They are told here in an order to read them; what each may import
stands in pyproject.toml, and goes down only.

The whole:
    gateway              the only wiring; the order of start and stop
    agreement            the disk and the channels are made to agree
    gauges               numbers read off the state now and then

The door:
    routes               each address loads what came, calls one function and answers
    reference            the description of the door, for programs and for people
    openapi              that description, made of the schemas
    operations           what each address takes and answers, with examples
    problems             every error as application/problem+json
    json_body            reads a JSON body, bounded and checked in the promised order
    security             who may call, and how often
    caller_tokens        tokens of the issuer: good ones, and the roles they name
    issuer_keys          the issuer's public keys, fetched and kept

The use cases:
    registration         an interaction is remembered and followed
    channel_registry     which conversation is on which channel: room, budget, handover; the singleton
    following            what sockets bring is put on disk, in order
    support_result       the old trigger's door; what both doors tell of is one record
    delivery             entries leave the outbox: claimed, sent, and how it ended written down
    reconciliation       asks Genesys what sockets may have missed, and closes what is over
    last_look            asks once more about what was closed, which measures our own honesty
    retention            what is no longer needed loses its personal content

What they are made of:
    handover             one channel's topics move to a successor, make before break
    channel              one channel: its socket, its reader, its watch
    channel_state        the life of a channel as a table
    topic_writer         the only writer of one channel's topic list
    gathering            waits while more is asked for, so that a burst costs a handful of calls
    unsubscription       takes topics off the list over the socket
    topic_refusals       topics that Genesys refused or took away, and when each is asked for again
    delivery_round       what one transaction of the delivery does
    waiting_line         which entries are tried next
    sending              one attempt: a claimed entry becomes a record and is sent
    name_finder          names for entries before their first attempt, patiently but not for ever
    names                the names of agents and wrap-up codes, remembered for a day
    inquiry              questions about conversations, and what the answers prove
    schedule             when Genesys is asked about a conversation next

The rules, which do nothing but decide:
    events               a frame becomes a frozen notification; one identity for each after-call work
    conversation         is it over, and whose after-call work is done?
    record               an after-call work becomes a communication record
    outbox               what an attempt came to, and what follows from it
    lane                 whether records may be sent at all
    schemas              the JSON of all parties, in marshmallow

The other sides:
    genesys              the API of Genesys Cloud, each question one method
    genesys_call         one call to Genesys, counted by how it ended
    call_budget          at most so many calls in any minute, the most urgent first
    tokens               the one token, renewed before it ends
    login                sends a grant; reads the token, or what to mend
    assertions           SAML assertions from one of three sources, none handed out twice
    single_flight        one piece of work at a time, shared by all who ask
    conversation_answer  the live view of a conversation, read
    analytics            the late view of it, read, and what it proves
    answers              the body of an answer becomes plain values, or proves nothing
    notification_socket  one WebSocket, opened within a bound, never trusted to end
    connect_uri          the address for a socket, checked before it is opened
    history              CommunicationHistory: send a record, or ask whether it is there
    outbound             every HTTP call that leaves this process
    storage              tables, statements and migrations, on SQLite and PostgreSQL

The ground:
    settings             every setting, read once and checked together
    settings_rules       rules of single settings, and of several together
    environment          reads variables, remembers every mistake
    signing_key          the key for assertions of our own, and its certificate
    secret               shown by reveal() only, renewed from its file
    greenlets            named, watched, one stop button
    logs                 every line one JSON object
    gunicorn_logs        gunicorn's lines, too
    bounded_worker       gunicorn's worker, in which no request lasts for ever
    metrics              every number, under the names that alarms use
    backoff              the growing wait after failures
    clock                wall time for what is stored, monotonic time for what is waited for
    kill_points          places where a test has the process killed
    errors               what can go wrong, sorted by what to do about it

Beside the service:
    __main__             python -m genesys_gateway
    cli                  its commands
    check                looks at everything before going live, and says what to mend
    commands             those a person gives beside the running gateway: why, dead-letters, erase
    explanation          what is known of one conversation, in sentences
    simulator            a Genesys Cloud and a CommunicationHistory to practise against
    demo                 the whole way on one machine, to be watched
"""

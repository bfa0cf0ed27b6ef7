"""``demo``: shows the whole path of the data on one machine: simulated Genesys Cloud, gateway, five conversations.

Invariant: it starts real processes and speaks HTTP to them as BOFE and a contact centre would; it imports nothing else
of the gateway or of the simulator. Every wait has a limit, and no process that it starts outlives it.

The files, in reading order:

    main                 the command: starts everything, runs the conversations, prints the summary; or keeps going
    scenarios            the five conversations, as data
    runner               runs them step by step
    clients              HTTP clients of the contact centre and the gateway
    traffic              keeps a contact centre going, and switches faults on and off
    timetable            when which fault is on
    faults               the faults, as data
    guests               the five conversations beside the traffic, and a rush of calls
    deployment           ports, files, settings and processes of the demo
    children             child processes
    identity_provider    writes fresh assertions
    interrupts           Ctrl-C
    screen               prints headings, messages and tables
    result               compares what was announced with what was stored
    summary              what was stored, what it cost, and what to try next
    errors               the exception that ends the demo
"""

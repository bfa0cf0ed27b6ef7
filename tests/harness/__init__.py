"""The harness of all tests with real processes: flow tests, acceptance stories, chaos, benchmarks, the SDK run.

    waiting        until and wait_for, in real time
    processes      start, signal and end a process
    http           HTTP with JSON
    simulator      the simulator as a process, through its control API
    gateway        the gateway as a process, and BOFE as its client
    judge          what the simulator's ledger shows about the promises
    report         claims, and whether they held
    stage          simulators, gateways and files of one story, and its scale
    databases      databases and servers of PostgreSQL
    instances      several gateways on one database
    load           agents and BOFE at a given rate
    listening      when conversations were on no open socket, or on several
    clock          a wall clock that is wrong
    commits        which role of PostgreSQL committed what, and when
    tcp_proxy      a TCP proxy that breaks connections
    postgres_proxy a proxy that loses PostgreSQL's answer to a COMMIT
    chromium       a headless browser, driven over its DevTools socket
    drawing        curves as SVG
    venvs          virtual environments of programs that others wrote
    tls_front      TLS and an HTTP proxy in front of a server

Invariant: only processes, TCP and signals. Nothing in here imports the gateway.
"""

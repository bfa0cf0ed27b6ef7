"""The HTTP interface: authenticates and checks each request, calls one function of ``intake``, and answers.

Invariant: nothing is decided or remembered here, and 2xx is sent only after that function has returned, that is, after
the commit. This file imports nothing, because gunicorn's master loads ``gunicorn_worker`` through it.

The files, in reading order:

    routes               the Flask blueprint: one function for each endpoint
    json_body            reads a JSON body: bounded, and checked in the promised order
    request_metrics      counts requests, and how long their answers take
    traced               a span for each registration and supportResult, if tracing is on
    problems             every error as ``application/problem+json``
    auth                 authentication, roles and the rate limit of callers
    jwt                  verifies the issuer's JSON Web Tokens and reads their roles
    jwks                 the issuer's public keys, fetched and cached
    schemas              the JSON of requests and replies
    operation            what is described of one endpoint
    operator_operations  what each endpoint for operators takes and answers, with examples
    operations           the same of all endpoints
    openapi              the OpenAPI document, made from schemas and operations
    docs                 a second blueprint: ``/openapi.json`` and ``/docs``
    ops                  what operators see: JSON, pages, and the sessions in which a browser reads them
    gunicorn_master      what gunicorn's master checks before it starts a worker, and which signals it obeys
    gunicorn_worker      gunicorn's gevent worker, with a time limit for each request
    gunicorn_response    an answer in one piece
    idle_connections     which connections wait for a request, and which of them make way for new ones
    gunicorn_logs        gunicorn's own log lines, as JSON
"""

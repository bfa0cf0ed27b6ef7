"""The HTTP interface: a request is authenticated, checked, handed to one function of ``intake``, and answered.

Invariant: nothing is decided or remembered here, and a 2xx is sent only after the call has returned: after the commit.
This face imports nothing: gunicorn's master loads ``gunicorn_worker`` through it.

The files, in reading order:

    routes               the Flask blueprint; each address is one function
    json_body            reads a JSON body, bounded, checked in the promised order
    problems             every error as ``application/problem+json``
    auth                 who may call, and how often
    jwt                  JSON Web Tokens of the issuer: valid ones, and the roles they name
    jwks                 the issuer's public keys, fetched and cached
    schemas              the JSON of requests and replies
    operations           what each address takes and answers, with examples
    openapi              the description of the interface, made from schemas and operations
    docs                 a second blueprint: ``/openapi.json`` and ``/docs``
    gunicorn_worker      gunicorn's gevent worker, in which no request lasts for ever
    gunicorn_logs        gunicorn's own log lines, as JSON
"""

"""The process that serves: what gunicorn is given.

Invariant: gevent's patches come before any other import. This file imports nothing, because gunicorn loads
``gunicorn_conf`` through it.

The files, in reading order:

    launch               starts gunicorn for ``genesys-gateway run``
    gunicorn_conf        gunicorn's configuration: one gevent worker, started after all checks, drained before it ends
    wsgi                 the application that gunicorn serves
    app                  builds the Flask application in front of a gateway

``gunicorn.conf.py``, ``wsgi.py`` and ``app.py`` at the top of the project name these for ``gunicorn -c gunicorn.conf.py
wsgi:app`` in a checkout; where only the package is installed, ``genesys-gateway run`` does.
"""

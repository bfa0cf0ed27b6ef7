"""The application that gunicorn serves: ``gunicorn -c gunicorn.conf.py wsgi:app``."""

from genesys_gateway.serving.wsgi import app as app

"""Configures gunicorn: ``gunicorn -c gunicorn.conf.py wsgi:app``. What is configured stands in the package."""

from genesys_gateway.serving.gunicorn_conf import *  # noqa: F403 - gunicorn reads the names of this file

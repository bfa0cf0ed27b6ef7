"""The application that gunicorn serves: ``gunicorn -c gunicorn.conf.py wsgi:app``."""

from gevent import monkey

monkey.patch_all()  # before anything imports ssl or psycopg, which would block or break later

from genesys_gateway.serving.app import create_app

app = create_app()

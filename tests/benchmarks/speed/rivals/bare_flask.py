"""(e) The limit of our web server: a Flask view that reads the JSON body and answers 201, under the same gunicorn.

`gunicorn -c python:MODULE --bind ADDRESS MODULE:app`, where MODULE is the full name of this one.
"""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

from typing import Any

from flask import Flask, request

# Settings of gunicorn. Given by name, because it takes gunicorn.conf.py of the current folder otherwise.
worker_class = "gevent"
workers = 1
keepalive = 75
control_socket_disable = True

app = Flask(__name__)


@app.post("/customers/supportInteraction")
def hello() -> Any:
    return {"interactionId": request.get_json()["interactionId"]}, 201

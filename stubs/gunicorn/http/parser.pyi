from gunicorn.http import unreader

# A variable, because web/gunicorn_worker.py replaces it.
SocketUnreader: type[unreader.SocketUnreader]

"""Loaded by pytest before any plugin imports ssl: from then on every socket waits cooperatively."""

from gevent import monkey

monkey.patch_all()

"""Pytest plugin: applies gevent's patches before another plugin imports ssl, so that sockets wait cooperatively."""

from gevent import monkey

monkey.patch_all()

"""Starts gunicorn, but never loads code from the folder in which that happens: anybody may have put a module there."""

import os

from gunicorn.app.wsgiapp import WSGIApplication


class _Service(WSGIApplication):
    def chdir(self) -> None:
        """Enter the folder as gunicorn does, without making it the first place where modules are looked for."""
        os.chdir(self.cfg.chdir)


def launch() -> None:
    """Be gunicorn, with the arguments of this process."""
    _Service("%(prog)s [OPTIONS] [APP_MODULE]", prog="gunicorn").run()

"""What gunicorn's master checks before it starts a worker, and which signals it obeys.

Invariant: only at the start can a mistake end the service. Later it is logged, and the running worker goes on. There is
exactly one worker.
"""

import sys
from collections.abc import Callable, Mapping
from mmap import mmap
from struct import Struct
from typing import Any

from genesys_gateway.runtime.errors import PermanentFailure, Unavailable
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.settings import Settings, SettingsError
from genesys_gateway.settings.checked import keep
from genesys_gateway.storage.migrate import migrate
from genesys_gateway.web.gunicorn_worker import HEAD_SECONDS, BoundedWorker

#: Exit code for what a restart will not change.
MISCONFIGURED = 2
#: How long the start waits for the database. After that the worker is started, answers 503 and waits on.
DATABASE_SECONDS = 2.0

#: Signals that would start a second worker, or stop the only one, and why they are ignored.
_IGNORED = {
    "ttin": "a second worker would answer every other request with 503",
    "ttou": "the one worker is needed",
    "usr2": "a second master would start a second worker; send SIGHUP, or stop and start",
    "winch": "the one worker is needed",
}

#: How a number is kept in shared memory.
_NUMBER = Struct("q")

log = get_logger(__name__)


class Reloads:
    """Number of times that the master began to replace its worker, in memory that it shares with its workers."""

    def __init__(self) -> None:
        self._memory = mmap(-1, _NUMBER.size)

    @property
    def count(self) -> int:
        """The number now."""
        return int(_NUMBER.unpack(self._memory[: _NUMBER.size])[0])

    def note(self) -> None:
        """Add one; only for the master."""
        self._memory[: _NUMBER.size] = _NUMBER.pack(self.count + 1)


#: Of this master. A worker whose number has grown since it began has a successor.
reloads = Reloads()


class WrongStart(PermanentFailure):
    """gunicorn was told to run the gateway in a way in which it can't keep its promises."""


def start(server: Any, environ: Mapping[str, str], say: Callable[[str], object] | None = None) -> None:
    """Check everything before the first worker; gunicorn's hook ``on_starting``. Exits with 2 if a restart can't help.

    A database that is not there yet is no mistake: the worker waits for it.

    Args:
        server: gunicorn's arbiter.
        environ: The environment variables.
        say: Tells a person about wrong settings; without it they are logged.
    """
    try:
        _check_gunicorn(server.cfg, environ)
        settings = Settings.from_environment(environ)
        keep(settings)
        _check_database(settings)
    except SettingsError as error:
        if say is not None:
            say(f"{error}\n")
        else:
            log.critical("settings_wrong", mistakes=error.mistakes)
        sys.exit(MISCONFIGURED)
    except PermanentFailure as error:
        event = "start_refused" if isinstance(error, WrongStart) else "database_unusable"
        log.critical(event, reason=str(error))
        sys.exit(MISCONFIGURED)
    except (Unavailable, OSError) as error:
        log.error("database_not_there_yet", reason=str(error))
    else:
        reach("migrated")
    for warning in settings.warnings:
        log.warning("setting_to_look_at", warning=warning)
    _take_over_signals(server, environ)


def _check_gunicorn(config: Any, environ: Mapping[str, str]) -> None:
    waiting = sys.modules.get("psycopg.waiting")  # absent where the extra postgresql is not installed
    if waiting is not None and getattr(waiting.wait, "__name__", "") != "wait_poll":
        raise WrongStart("gevent's patches came too late: psycopg would block the whole worker")
    # gunicorn reads WEB_CONCURRENCY as the default of its option, which gunicorn.conf.py overrides.
    for workers in (config.workers, int(environ.get("WEB_CONCURRENCY", "1"))):
        if workers != 1:
            asked = f"{workers} workers were asked for (by --workers, GUNICORN_CMD_ARGS or WEB_CONCURRENCY)"
            raise WrongStart(f"{asked}, but there is exactly one worker, which has the channels: take the option away")
    if not issubclass(config.worker_class, BoundedWorker):
        raise WrongStart("another worker class was asked for, but only the gateway's own limits the time of a request")
    if config.preload_app:
        raise WrongStart("--preload was asked for, but the gateway must be made in the process of its worker")
    if config.keepalive != HEAD_SECONDS:
        raise WrongStart("--keep-alive was given; take it away, and use GATEWAY_KEEPALIVE_SECONDS")


def _check_database(settings: Settings) -> None:
    if migrate(settings.database_url, DATABASE_SECONDS):
        log.info("database_migrated")


def _take_over_signals(server: Any, environ: Mapping[str, str]) -> None:
    """Stand before gunicorn's own handlers, which it looks up by name when a signal has come."""
    replace_worker = server.handle_hup

    def hang_up() -> None:
        try:
            settings = Settings.from_environment(environ)
            _check_database(settings)
        except SettingsError as error:
            log.critical("reload_refused", reason="wrong settings", mistakes=error.mistakes)
        except (PermanentFailure, Unavailable, OSError) as error:
            log.critical("reload_refused", reason=str(error))
        else:
            keep(settings)
            _replace(replace_worker)

    # gunicorn would read its configuration file again. The master's code stays the same as long as it runs, so a newer
    # file could not fit it; and a mistake in the file would end the service.
    server.app.reload = _keep_configuration
    server.handle_hup = hang_up
    for name, reason in _IGNORED.items():
        setattr(server, f"handle_{name}", lambda name=name, reason=reason: _ignore(name, reason))


def _replace(replace_worker: Callable[[], None]) -> None:
    reloads.note()
    try:
        replace_worker()
    except (OSError, RuntimeError) as error:  # no memory to fork, no file for its heartbeat
        log.critical("reload_failed", reason=str(error))


def _keep_configuration() -> None:
    log.debug("configuration_kept")


def _ignore(name: str, reason: str) -> None:
    log.warning("signal_ignored", signal=f"SIG{name.upper()}", reason=reason)

"""Runs two transactions statement by statement, in an order that the test decides."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gevent.event import Event
from gevent.greenlet import Greenlet
from sqlalchemy import Connection, Engine, event, text

from genesys_gateway.runtime.errors import PairedAlready

#: A job returns whether something was locked, so that it is to be done again.
Job = Callable[[Connection], bool]

_BLOCKED = text("SELECT cardinality(pg_blocking_pids(:pid)) > 0")
#: Time in seconds after which it is asked whether a statement waits for a lock.
_SOON = 0.004


class Player:
    """A connection whose transaction stops before each statement, and before its COMMIT."""

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.connect()
        self._playing = False
        self.pid = int(self._connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
        self._connection.rollback()
        self._connection.info["player"] = self
        self._turn, self._stopped = Event(), Event()
        self._greenlet: Greenlet[..., object] | None = None
        self.again = False

    def begin(self, job: Job) -> None:
        """Begin a transaction; it stops before its first statement."""
        self._turn.clear()
        self._stopped.clear()
        self._playing = True
        self._greenlet = Greenlet(self._play, job)
        self._greenlet.start()
        self._stopped.wait()

    def _play(self, job: Job) -> None:
        try:
            self.again = job(self._connection)
            self.stop()
            self._connection.commit()
        except PairedAlready:
            self.again = False
            self._connection.rollback()
        finally:
            self._playing = False
            self._connection.rollback()
            self._stopped.set()

    def stop(self) -> None:
        """Called before each statement: wait for a turn."""
        if self._playing:
            self._stopped.set()
            self._turn.wait()
            self._turn.clear()

    @property
    def done(self) -> bool:
        """Whether the transaction is over. Raises what its job raised."""
        if self._playing or self._greenlet is None:
            return False
        self._greenlet.get()
        return True

    def let_go(self) -> None:
        """Give it a turn."""
        self._stopped.clear()
        self._turn.set()

    def has_stopped(self, seconds: float) -> bool:
        """Whether it stops again within that time, or is over."""
        return bool(self._stopped.wait(seconds))

    def close(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()
        self._connection.close()


class Stage:
    """Two players on one database, and a third connection that sees who waits for a lock."""

    def __init__(self, engine: Engine) -> None:
        self.players = (Player(engine), Player(engine))
        self._watcher = engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def play(self, first: Job, second: Job, before: int, between: int | None = None) -> tuple[int, bool]:
        """Run ``before`` statements of the first, then ``between`` of the second (None: all), then all of both.

        One that waits for a lock has no turn until the other is over.

        Returns:
            How many statements the first has, and whether one has waited.

        Raises:
            AssertionError: They wait for each other.
        """
        one, two = self.players
        one.begin(first)
        two.begin(second)
        steps = self._steps(one, before)
        self._steps(two, between)
        waited = not (one.has_stopped(0) and two.has_stopped(0))
        while not (one.done and two.done):
            mine = self._steps(one)
            others = self._steps(two)
            steps += mine
            waited |= not (one.has_stopped(0) and two.has_stopped(0))
            assert mine or others or self._one_goes_on(), "they wait for each other"
        return steps, waited

    def _steps(self, player: Player, most: int | None = None) -> int:
        """Let it run until it is over, waits for a lock, or has run ``most`` statements."""
        count = 0
        while not player.done and count != most and self._has_stopped(player):
            if player.done:
                break
            player.let_go()
            count += 1
            if not self._has_stopped(player):
                break
        return count

    def _has_stopped(self, player: Player) -> bool:
        """Wait until it stops; False if it waits for a lock."""
        while not player.has_stopped(_SOON):
            if self._watcher.execute(_BLOCKED, {"pid": player.pid}).scalar_one():
                return False
        return True

    def _one_goes_on(self) -> bool:
        return any(self._has_stopped(player) for player in self.players)

    def close(self) -> None:
        for player in self.players:
            player.close()
        self._watcher.close()


@contextmanager
def stage_on(engine: Engine) -> Iterator[Stage]:
    """A stage whose players stop before each of their statements."""

    def stop(connection: Connection, *_: object) -> None:
        player = connection.info.get("player")
        if player is not None:
            player.stop()

    event.listen(engine, "before_cursor_execute", stop)
    stage = Stage(engine)
    try:
        yield stage
    finally:
        stage.close()
        event.remove(engine, "before_cursor_execute", stop)

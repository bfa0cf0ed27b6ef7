"""A wall clock of a gateway that is wrong, and can be set while it runs; see wrong_clock/sitecustomize.py."""

from collections.abc import Mapping
from pathlib import Path

_CODE = Path(__file__).parent / "wrong_clock"


class WrongClock:
    """The clock of one gateway, right until it is set.

    Args:
        file: Where its error is kept.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.wrong_by(0)

    @property
    def environment(self) -> Mapping[str, str]:
        """What the gateway has to be started with."""
        return {"PYTHONPATH": str(_CODE), "WRONG_CLOCK_FILE": str(self._file)}

    def wrong_by(self, seconds: int) -> None:
        """Set the error of the clock."""
        whole = self._file.with_suffix(".new")  # the gateway may read it at any moment
        whole.write_text(str(seconds))
        whole.replace(self._file)

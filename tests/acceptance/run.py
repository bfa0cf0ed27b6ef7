"""Finds the acceptance stories and plays one of them within its time limit."""

import importlib
import pkgutil
import traceback
from types import ModuleType

import gevent

from tests.acceptance import stories
from tests.harness.stage import Stage

#: Time limit of a story that has no SECONDS of its own.
_LIMIT_SECONDS = 300.0


def names() -> list[str]:
    """The names of all stories."""
    return [module.name for module in pkgutil.iter_modules(stories.__path__)]


def story(name: str) -> ModuleType:
    """The module of a story."""
    return importlib.import_module(f"tests.acceptance.stories.{name}")


def summary(name: str) -> str:
    """What the story shows, in one line."""
    return (story(name).__doc__ or "").strip().splitlines()[0]


def play(name: str, stage: Stage) -> bool:
    """Play a story on that stage and end its report; returns whether every claim held.

    A story that fails or exceeds its time limit has a claim that did not hold.
    """
    module, report = story(name), stage.report
    limit = getattr(module, "SECONDS", _LIMIT_SECONDS)
    try:
        with gevent.Timeout(limit):
            module.play(stage)
    except gevent.Timeout:
        report.claim(f"the story ends within {limit:.0f} s", held=False)
    except Exception as error:  # noqa: BLE001 - an error in one story must not keep the others from being played
        report.claim("the story can be played", held=False, figure=f"{type(error).__name__}: {error}")
        traceback.print_exc(limit=-2)
    return report.end()

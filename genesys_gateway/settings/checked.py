"""Keeps the settings that were checked last: every worker starts with them, in whatever state their files are then.

Invariant: only settings that were found right are kept, so no file can keep a worker from starting.
"""

from collections.abc import Mapping

from genesys_gateway.settings.fields import Settings

_kept: list[Settings] = []


def keep(settings: Settings) -> None:
    """Keep these settings for the workers that are forked from now on."""
    _kept[:] = [settings]


def kept_or_read(environ: Mapping[str, str]) -> Settings:
    """The settings kept by the process that forked this one; without any, those of the environment.

    Raises:
        SettingsError: None were kept, and the environment has a mistake.
    """
    return _kept[0] if _kept else Settings.from_environment(environ)

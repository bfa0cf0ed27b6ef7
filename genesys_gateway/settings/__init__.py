"""Every setting of the service, read once and checked together."""

from genesys_gateway.settings.fields import Settings, SettingsError, variable

__all__ = ["Settings", "SettingsError", "variable"]

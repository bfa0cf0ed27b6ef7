"""Every setting of the service, read once and checked together.

Invariant: all mistakes are reported at once, before the first worker starts; no secret is shown.

The files, in reading order:

    fields               Settings: every setting with its default
    rules                rules of single settings, and of several together
    environment          reads environment variables and collects mistakes
    secret               a secret: hidden when printed, renewed from its file
    signing_key          the key for assertions of our own, and its certificate
"""

from genesys_gateway.settings.fields import Settings, SettingsError, variable

__all__ = ["Settings", "SettingsError", "variable"]

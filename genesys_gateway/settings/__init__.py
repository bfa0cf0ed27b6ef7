"""Every setting of the service, read once at the start and checked together.

Invariant: all mistakes are reported at once, before the first worker starts; no secret is shown.

The files, in reading order:

    fields               Settings: every setting with its default
    meanings             what each setting means to operators
    rules                rules of single settings, and of several together
    database_url         rules for the URL of the database, which may name several servers
    checked              keeps the settings that were checked last, for new workers
    environment          reads environment variables and collects mistakes
    secret               a secret: hidden when printed, renewed from its file
    text_file            a small text file, whatever editor wrote it
    signing_key          private key and certificate for signing SAML assertions
"""

from genesys_gateway.settings.fields import Settings, SettingsError, variable

__all__ = ["Settings", "SettingsError", "variable"]

"""The version of this release: the only place where it is written. The build of the package reads it from here."""

#: Semantic versioning, as CHANGELOG.md explains it.
__version__ = "1.1.0"

"""Writes the references, and the version into files; arguments name some references, with or without the ending."""

import sys

from tests.architecture.sources import PROJECT
from tests.documents.references import REFERENCES, path_of
from tests.documents.references.version import FILES, with_version

_named = set(sys.argv[1:])
if unknown := _named - {known for name in REFERENCES for known in (name, name.partition(".")[0])}:
    sys.exit(f"{', '.join(sorted(unknown))}: no such reference. There are {', '.join(REFERENCES)}.")
for _name, _make in REFERENCES.items():
    if not _named or _named & {_name, _name.partition(".")[0]}:
        path_of(_name).write_text(_make())
for _file in () if _named else FILES:
    (PROJECT / _file).write_text(with_version((PROJECT / _file).read_text()))
